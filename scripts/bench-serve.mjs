// `npm run bench:serve`, `npm run bench:nginx` and `npm run soak`, with `-- options`: builds what is
// missing, then runs a script of bench/serve.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureReady } from "./ensure-ready.mjs";

const root = ensureReady();
const [name, ...args] = process.argv.slice(2);
const script = join(root, "bench", "serve", `${name}.mjs`);
const { status } = spawnSync(process.execPath, [script, ...args], { stdio: "inherit" });
process.exit(status ?? 1);
