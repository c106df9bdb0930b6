// `ms@3.0.0-canary.1` hides its types behind `exports`, which silently turns every Temporal `Duration` into `any`.
declare module "ms" {
  type Unit = "ms" | "s" | "m" | "h" | "d";
  type Word = "second" | "minute" | "hour" | "day";
  export type StringValue = `${number}` | `${number}${Unit}` | `${number} ${Word}` | `${number} ${Word}s`;
}
