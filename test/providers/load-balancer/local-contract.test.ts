import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalLoadBalancer } from "../../../providers/load-balancer/local/local-load-balancer.ts";
import { describeLoadBalancer } from "../../contracts/load-balancer.ts";
import { startBalancerProcess } from "./balancer-process.ts";

describeLoadBalancer("local", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lb-"));
  const running = await startBalancerProcess(folder);
  const balancer = createLocalLoadBalancer({ socketPath: `${folder}/lb.sock` });
  return {
    balancer,
    async close() {
      await balancer.close();
      await running.kill();
      await rm(folder, { recursive: true });
    },
  };
});
