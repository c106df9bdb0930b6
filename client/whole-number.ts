import { ForewarmError } from "../domain/errors.ts";

/** Parses an option's value. Throws USAGE naming the option, the range and what was given. */
export function wholeNumber(option: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new ForewarmError("USAGE", `${option} takes a whole number from ${min} to ${max}, got ${JSON.stringify(text)}`);
}
