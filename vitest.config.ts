import { defineConfig } from "vitest/config";

const serial = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 180_000 };

export default defineConfig({
  test: {
    reporters: ["default"],
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "test/{domain,schema,configuration,models,simulation,client,bench}/**/*.test.ts",
            "test/tidy.test.ts",
          ],
        },
      },
      {
        test: { name: "providers", include: ["test/{providers,contracts,agent,activities}/**/*.test.ts"], ...serial },
      },
      {
        test: {
          name: "stack",
          include: ["test/{workflows,histories,embedded,faults,e2e,worker}/**/*.test.ts"],
          ...serial,
        },
      },
    ],
  },
});
