import { fitWidth } from "./text-width.ts";

/** The part of a terminal stream that a view needs. */
export interface ViewStream {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  write(text: string): unknown;
}

/** A block of lines that is painted over in place. */
export interface LiveView {
  /** Replaces the block; off a terminal nothing is written. */
  show: (lines: readonly string[]) => void;
  /** Writes a lasting line above the block; off a terminal, simply the line. */
  say: (line: string) => void;
  /** Leaves the last block on the screen and gives the cursor back. */
  end: () => void;
}

const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";
// Terminals that know synchronized output show the whole frame at once; others ignore the two codes.
const beginFrame = "\x1b[?2026h";
const endFrame = "\x1b[?2026l";
const clearToLineEnd = "\x1b[K";
const clearBelow = "\x1b[J";

/** Starts a view on a stream; each frame is one write, and lines are overwritten, not erased, so nothing flickers. */
export function createLiveView(stream: ViewStream): LiveView {
  if (stream.isTTY !== true) {
    return { show() {}, say: (line) => void stream.write(`${line}\n`), end() {} };
  }
  let block: string[] = [];
  let painted = 0;
  const paint = (above: readonly string[]): void => {
    const start = painted === 0 ? hideCursor : `\x1b[${painted}A\r`;
    const fitted = fitBlock(block, stream);
    const lines = [...above, ...fitted].map((line) => `${line}${clearToLineEnd}\n`).join("");
    stream.write(`${beginFrame}${start}${lines}${clearBelow}${endFrame}`);
    painted = fitted.length;
  };
  return {
    show(lines) {
      block = [...lines];
      paint([]);
    },
    say: (line) => paint([line]),
    end() {
      block = [];
      painted = 0;
      stream.write(showCursor);
    },
  };
}

/** A block taller than the screen could not be painted over: its end is left out and counted. */
function fitBlock(lines: readonly string[], { columns = 80, rows = 24 }: ViewStream): string[] {
  const room = Math.max(1, rows - 1);
  const kept = lines.length <= room ? lines : [...lines.slice(0, room - 1), `… ${lines.length - room + 1} more lines`];
  return kept.map((line) => fitWidth(line, columns));
}
