// Opens the embedded store in the folder given, and keeps claims until it is killed; prints each one acknowledged.
import { openPgliteStore } from "../../../providers/store/pglite/open-pglite-store.ts";
import { claimRow } from "../../contracts/claim-row.ts";

const [directory, prefix] = process.argv.slice(2);
if (directory === undefined || prefix === undefined) throw new Error("usage: store-writer DIRECTORY PREFIX");
const store = await openPgliteStore({ directory });
console.log("open");
for (let number = 0; ; number += 1) {
  const [kept] = await store.keepClaims([claimRow("f", `${prefix}-${number}`, "h1")]);
  console.log(kept?.claimId);
}
