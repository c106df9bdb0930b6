import { array, assert, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import { createLineSplitter } from "../../domain/line-frames.ts";

describe("createLineSplitter", () => {
  it("gives the same lines however the text is cut", () => {
    const line = string({ minLength: 1 }).filter((text) => !text.includes("\n"));
    assert(
      property(array(line), array(string({ minLength: 1, maxLength: 1 })), (lines, seeds) => {
        const text = lines.map((each) => `${each}\n`).join("");
        const seen: string[] = [];
        const push = createLineSplitter(10_000, (each) => seen.push(each));
        const step = 1 + seeds.length;
        for (let from = 0; from < text.length; from += step) push(text.slice(from, from + step));
        expect(seen).toEqual(lines);
      }),
    );
  });

  it("passes over empty lines and keeps a rest without newline", () => {
    const seen: string[] = [];
    const push = createLineSplitter(10, (each) => seen.push(each));
    push("\n\na\nrest");
    expect(seen).toEqual(["a"]);
    push("!\n");
    expect(seen).toEqual(["a", "rest!"]);
  });

  it("refuses a frame beyond the bound, whether it comes at once or bit by bit", () => {
    const refusal = expect.objectContaining({ code: "AGENT_PROTOCOL" });
    expect(() => createLineSplitter(5, () => undefined)("123456\n")).toThrow(refusal);
    const push = createLineSplitter(5, () => undefined);
    push("123");
    expect(() => push("456")).toThrow(refusal);
  });
});
