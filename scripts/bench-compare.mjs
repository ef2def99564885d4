// `npm run bench:compare [-- options]`: builds what is missing, then runs bench/compare (its options are
// listed there).
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureReady } from "./ensure-ready.mjs";

const root = ensureReady();
const script = join(root, "bench", "compare", "compare.mjs");
const { status } = spawnSync(process.execPath, [script, ...process.argv.slice(2)], { stdio: "inherit" });
process.exit(status ?? 1);
