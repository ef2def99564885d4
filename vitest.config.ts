import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Tests load the built modules, and tests of the command the files that are bundled from them.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Models bring worker threads of their own; processes keep one file's crash from taking others along.
    pool: "forks",
    maxWorkers: 2,
  },
});
