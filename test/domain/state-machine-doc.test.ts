import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { HostState } from "../../domain/host/host-state.ts";
import { bootstrapPhases, canTransition, hostStates, stateOfPhase } from "../../domain/host/host-state.ts";

const page = readFileSync(new URL("../../docs/state-machines.md", import.meta.url), "utf8");
const fromAnywhere: readonly HostState[] = ["quarantined", "failed"];

/** Cells of the rows of the table below a heading, without the two lines at its top. */
function tableBelow(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  const lines = (section ?? "").split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const names = (cell: string): string[] => [...cell.matchAll(/`([a-z]+)`/g)].map(([, name]) => name!);

test("the table of host states is the one the code follows", () => {
  const documented = tableBelow("Host life cycle").map(([state, , next]) => [names(state!)[0], names(next!)]);
  const coded = hostStates.map((from) => [
    from,
    hostStates.filter((to) => !fromAnywhere.includes(to) && canTransition(from, to)),
  ]);
  const sorted = (rows: unknown[][]) => rows.map(([state, next]) => [state, (next as string[]).toSorted()]);
  expect(sorted(documented)).toEqual(sorted(coded));
});

test("every state but those of a leaving host can fail or be quarantined, as the page says", () => {
  const cannot = hostStates.filter((from) => !fromAnywhere.some((to) => canTransition(from, to)));
  expect(cannot).toEqual(["retiring", "retired"]);
  expect(page).toContain("every state but `retiring` and `retired`");
});

test("the table of phases names each phase with its state, in order", () => {
  const documented = tableBelow("Bootstrap phases").map(([phase, state]) => [names(phase!)[0], names(state!)[0]]);
  expect(documented).toEqual(bootstrapPhases.map((phase) => [phase, stateOfPhase(phase)]));
});
