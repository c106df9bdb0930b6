import { chown, readFile } from "node:fs/promises";
import { ForewarmError } from "../domain/errors.ts";

/** The user name of a uid on this host, or the number as text where it has none. */
export async function ownerName(uid: number): Promise<string> {
  const found = (await readUsers()).find((user) => user.uid === uid);
  return found?.name ?? String(uid);
}

/** Gives a file to the user a manifest names. Throws MANIFEST_REFUSED where that is not possible here. */
export async function giveToOwner(path: string, owner: string): Promise<void> {
  const user = (await readUsers()).find((candidate) => candidate.name === owner);
  if (user === undefined) throw new ForewarmError("MANIFEST_REFUSED", `${path}: there is no user ${owner} here`);
  if (user.uid === process.getuid?.()) return;
  try {
    await chown(path, user.uid, user.gid);
  } catch (error) {
    throw new ForewarmError("MANIFEST_REFUSED", `${path}: cannot be given to ${owner}`, { cause: error });
  }
}

async function readUsers(): Promise<{ name: string; uid: number; gid: number }[]> {
  const text = await readFile("/etc/passwd", "utf8");
  return text.split("\n").map((line) => {
    const [name = "", , uid, gid] = line.split(":");
    return { name, uid: Number(uid), gid: Number(gid) };
  });
}
