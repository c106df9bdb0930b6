// `ms@3.0.0-canary.1` hides its types behind `exports`, which silently turns every Temporal `Duration` into `any`.
declare module "ms" {
  export type StringValue =
    | `${number}`
    | `${number}${"ms" | "s" | "m" | "h" | "d" | " seconds" | " minutes" | " hours"}`;
}
