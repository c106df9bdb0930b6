import { describe, expect, test } from "vitest";
import { createLiveView } from "../../../client/output/live-view.ts";

const escape = "\u001b";
const codes = new RegExp(`(${escape}\\[[?\\d]*[A-Za-z]|\\r|\\n)`, "g");

/** A terminal of the few codes a view writes: what a person would see. */
function createTerminal(columns: number, rows: number) {
  const screen: string[] = [""];
  let line = 0;
  const writes: string[] = [];
  const apply = (code: string): void => {
    if (code.endsWith("A")) line -= Number.parseInt(code.slice(2), 10);
    if (code === `${escape}[J`) screen.length = line + 1;
  };
  const write = (text: string): void => {
    writes.push(text);
    for (const part of text.split(codes)) {
      if (part === "\n") line += 1;
      else if (part === "\r") screen[line] ??= "";
      else if (part.startsWith(escape)) apply(part);
      else if (part !== "") screen[line] = part;
    }
  };
  return { isTTY: true, columns, rows, write, writes, shown: () => screen.slice(0, line) };
}

describe("createLiveView", () => {
  test("paints over its block in one write for each frame", () => {
    const terminal = createTerminal(40, 24);
    const view = createLiveView(terminal);
    view.show(["one", "two", "three"]);
    view.show(["uno", "dos"]);
    expect(terminal.shown()).toEqual(["uno", "dos"]);
    expect(terminal.writes).toHaveLength(2);
  });

  test("puts lasting lines above the block", () => {
    const terminal = createTerminal(40, 24);
    const view = createLiveView(terminal);
    view.show(["block"]);
    view.say("web-1 is ready");
    view.show(["block 2"]);
    expect(terminal.shown()).toEqual(["web-1 is ready", "block 2"]);
  });

  test("never writes more than the screen holds", () => {
    const terminal = createTerminal(6, 4);
    createLiveView(terminal).show(["long line", "b", "c", "d", "e"]);
    expect(terminal.shown()).toEqual(["long …", "b", "… 3 m…"]);
  });

  test("hides the cursor once and gives it back", () => {
    const terminal = createTerminal(40, 24);
    const view = createLiveView(terminal);
    view.show(["a"]);
    view.end();
    const cursorCodes = (terminal.writes.join("").match(codes) ?? []).filter((code) => code.includes("?25"));
    expect(cursorCodes).toEqual([`${escape}[?25l`, `${escape}[?25h`]);
  });

  test("writes plain lines where there is no terminal", () => {
    const written: string[] = [];
    const view = createLiveView({ write: (text) => written.push(text) });
    view.show(["block"]);
    view.say("web-1 is ready");
    view.end();
    expect(written).toEqual(["web-1 is ready\n"]);
  });
});
