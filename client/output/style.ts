import { styleText } from "node:util";

type Paint = (text: string) => string;

/** Colours by meaning; each leaves the text as it is where colours are off. */
export interface Style {
  bold: Paint;
  dim: Paint;
  good: Paint;
  bad: Paint;
  warn: Paint;
  accent: Paint;
}

/** Builds the colours; `enabled` is decided once from NO_COLOR, FORCE_COLOR and whether the stream is a terminal. */
export function createStyle(enabled: boolean): Style {
  const paint =
    (format: Parameters<typeof styleText>[0]): Paint =>
    (text) =>
      enabled ? styleText(format, text, { validateStream: false }) : text;
  return {
    bold: paint("bold"),
    dim: paint("dim"),
    good: paint("green"),
    bad: paint("red"),
    warn: paint("yellow"),
    accent: paint("cyan"),
  };
}
