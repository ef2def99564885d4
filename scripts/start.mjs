// `npm start [-- "a prompt"]`: installs and builds what is missing, then lets the embedded model continue the
// prompt.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureReady } from "./ensure-ready.mjs";

const root = ensureReady();
const given = process.argv.slice(2);
const prompt = given.length > 0 ? given.join(" ") : "Once upon a time";
const { status, signal } = spawnSync(
  process.execPath,
  [join(root, "dist", "node", "bitnet.js"), "run", "--prompt", prompt, "--max-tokens", "-1"],
  { stdio: "inherit" },
);
process.exit(signal === null ? (status ?? 1) : 130);
