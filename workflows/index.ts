export { bootstrapHost } from "./bootstrap-host.ts";
export { fleet } from "./fleet.ts";
export { keepBlobs, keepDemand, lookUp } from "./look-up.ts";
export { retireHost } from "./retire-host.ts";
export { updateHost } from "./update-host.ts";
