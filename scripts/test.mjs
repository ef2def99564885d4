// `npm test [-- vitest arguments]`: installs and builds what is missing, then runs all tests.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureReady } from "./ensure-ready.mjs";

const root = ensureReady();
const { status } = spawnSync(
  process.execPath,
  [join(root, "node_modules", "vitest", "vitest.mjs"), "run", ...process.argv.slice(2)],
  { cwd: root, stdio: "inherit" },
);
process.exit(status ?? 1);
