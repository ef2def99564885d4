import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/clients/*.clients.ts"],
    testTimeout: 60_000,
    hookTimeout: 300_000,
    pool: "forks",
    maxWorkers: 1,
  },
});
