import { defineSearchAttributeKey } from "@temporalio/common";

/** Search attributes of every Forewarm workflow; the embedded server registers them, production must too. */
export const searchAttributes = {
  fleet: defineSearchAttributeKey("ForewarmFleet", "KEYWORD"),
  host: defineSearchAttributeKey("ForewarmHost", "KEYWORD"),
  phase: defineSearchAttributeKey("ForewarmPhase", "KEYWORD"),
  epoch: defineSearchAttributeKey("ForewarmEpoch", "INT"),
} as const;
