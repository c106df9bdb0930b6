import { ForewarmError } from "./errors.ts";

/**
 * Splits decoded text into newline-ended frames and hands each one on; a rest without newline waits for more.
 * Throws AGENT_PROTOCOL when a frame grows beyond `maxChars`.
 */
export function createLineSplitter(maxChars: number, onLine: (line: string) => void): (text: string) => void {
  let parts: string[] = [];
  let waitingChars = 0;
  const hold = (rest: string) => {
    waitingChars += rest.length;
    if (waitingChars > maxChars) throw new ForewarmError("AGENT_PROTOCOL", `a frame exceeds ${maxChars} characters`);
    if (rest !== "") parts.push(rest);
  };
  const release = () => {
    const line = parts.join("");
    parts = [];
    waitingChars = 0;
    if (line !== "") onLine(line);
  };
  return (text) => {
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      hold(text.slice(from, end));
      release();
      from = end + 1;
    }
    hold(text.slice(from));
  };
}
