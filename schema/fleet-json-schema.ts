import { z } from "zod";
import { fleetTemplateSchema } from "./fleet-template.ts";

export type JsonSchemaNode = z.core.JSONSchema.BaseSchema;

/** JSON Schema (draft 2020-12) of what an operator may write, for editors: keys with a default are optional. */
export function fleetJsonSchema(): JsonSchemaNode {
  return { title: "Forewarm fleet template", ...z.toJSONSchema(fleetTemplateSchema, { io: "input" }) };
}
