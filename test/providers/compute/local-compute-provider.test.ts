import { describe } from "vitest";
import { describeComputeProvider } from "../../contracts/compute-provider.ts";
import { authorizedKey, hasBwrap, openRack } from "./local-rack.ts";

const settings = [
  { isolation: "none", addresses: "loopback-range" },
  { isolation: "none", addresses: "single" },
  { isolation: "bwrap", addresses: "loopback-range" },
] as const;

for (const { isolation, addresses } of settings) {
  describe.skipIf(isolation === "bwrap" && !hasBwrap)(`bwrap where it is needed (${isolation}, ${addresses})`, () => {
    describeComputeProvider(`local rack, isolation ${isolation}, addresses ${addresses}`, async () => {
      const rack = await openRack({ isolation, addresses });
      await rack.faults({ kind: "zone-capacity", zone: "b", hostsMax: 2 });
      return {
        provider: rack.provider,
        image: rack.image,
        authorizedKey,
        zones: { roomy: "a", tiny: "b" },
        letTimePass: () => new Promise((resolve) => setTimeout(resolve, 10)),
        crash: (machineId) => rack.faults({ kind: "crash", machineId }),
        end: () => rack.end(),
      };
    });
  });
}
