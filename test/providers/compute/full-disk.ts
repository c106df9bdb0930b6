import { open } from "node:fs/promises";
import type { OpenFile } from "../../../providers/compute/local/rack-journal.ts";

/** Real files on a disk that can be made to have no more room: half of what is written arrives, then ENOSPC. */
export class FullDisk {
  full = false;

  readonly open: OpenFile = async (path, flags, mode) => {
    const file = await open(path, flags, mode);
    const write = file.appendFile.bind(file);
    const writeUntilFull = async (content: string): Promise<void> => {
      if (!this.full) return write(content);
      await write(content.slice(0, content.length / 2));
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    };
    return Object.assign(file, { appendFile: writeUntilFull, writeFile: writeUntilFull });
  };
}
