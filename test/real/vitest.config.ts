import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/real/*.real.ts"],
    // Some tests generate hundreds of tokens with a model of 135 million parameters.
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    pool: "forks",
    maxWorkers: 1,
  },
});
