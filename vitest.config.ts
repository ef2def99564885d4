import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Tests load the built package: what users run is what is tested.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Models bring worker threads of their own; processes keep one file's crash from taking others along.
    pool: "forks",
    maxWorkers: 2,
  },
});
