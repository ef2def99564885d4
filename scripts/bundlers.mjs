// `npm run test:bundlers [-- --web]`: one small program, built by every bundler that people use, and run as
// one file on Node.js, Deno, Bun and in Chromium (with --web in Chromium only). Each must write the text that
// the package writes on this Node.js. The tools come from npm into .cache/bundlers; none of them is a
// dependency of the package.
import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { ensureReady } from "./ensure-ready.mjs";
import { installPackedProject } from "./packed-project.mjs";
import { nodeApps } from "./bundlers/node-apps.mjs";
import { webApps } from "./bundlers/web-apps.mjs";
import { runInChromium } from "./bundlers/chromium.mjs";
import { installRuntime, isThisRuntime, runtimes } from "./runtime-binaries.mjs";

/** Exact versions, so that a failure is ours. */
const tools = {
  esbuild: "0.28.2",
  postject: "1.0.0-alpha.6",
  rollup: "4.68.8",
  "@rollup/plugin-node-resolve": "16.0.3",
  vite: "8.4.0",
  webpack: "5.113.0",
  "webpack-cli": "7.3.1",
};

const root = ensureReady();
const folder = join(root, ".cache", "bundlers");
const model = join(root, "models", "storyteller.gguf");

function run(command, args, { env = {} } = {}) {
  const result = spawnSync(command, args, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: 120_000,
  });
  const { status, signal, stdout, stderr, error } = result;
  if (status === 0) return stdout;
  const reason = (error?.message ?? `${stdout}\n${stderr}`).trim().split("\n").slice(-12).join("\n");
  throw new Error(`${command} ${args.join(" ")} ended with ${signal ?? status}:\n${reason}`);
}

/** The project, with the programs in it. */
function prepare() {
  installPackedProject(root, folder, tools);
  for (const program of ["program.mjs", "page.mjs"])
    cpSync(join(root, "test", "bundles", "app", program), join(folder, program));
}

const rows = [];
let failures = 0;
/** One row of the table. A text that differs is a failure, a tool that cannot be had is not. */
function report(name, loads, outcome) {
  if (outcome.failed !== undefined) failures += 1;
  rows.push([name, loads, outcome.failed ?? outcome.missing ?? "yes", outcome.speed ?? "–"]);
  console.log(`${name}, ${loads}: ${outcome.failed ?? outcome.missing ?? "the same text"}`);
}

function compare(output, expected) {
  const { text, tokensPerSecond, code, message } = JSON.parse(output);
  if (text !== expected) return { failed: `DIFFERENT: ${text ?? `${code}: ${message}`}` };
  return { speed: tokensPerSecond?.toFixed(0) };
}

const environment = (choice) => ({
  MODEL: model,
  SPEED: "1",
  ...(choice === "no threads" ? { THREADS: "0" } : { THREADS: "2" }),
  ...(choice === "worker file" && { WORKER_URL: join(folder, "node_modules/bitnet-wasm/dist/worker.js") }),
});

prepare();
const { text: expected } = JSON.parse(
  run(process.execPath, ["program.mjs"], { env: environment("as installed") }),
);
const binaries = new Map();
for (const runtime of runtimes) {
  const { binary, missing } = isThisRuntime(runtime)
    ? { binary: process.execPath }
    : installRuntime(root, runtime);
  if (binary !== undefined) binaries.set(runtime.id, binary);
  const attempt = () =>
    missing !== undefined
      ? { missing: `NOT TESTED: ${missing}` }
      : compare(
          run(binary, [...runtime.args, "program.mjs"], { env: environment("as installed") }),
          expected,
        );
  report(runtime.name, "as installed", tried(attempt));
}
for (const app of process.argv.includes("--web") ? [] : nodeApps(folder, binaries, run)) {
  const built = tried(app.build);
  for (const choice of ["no threads", "worker file"]) {
    const attempt = () =>
      built.failed || built.missing
        ? built
        : compare(run(...app.start, { env: environment(choice) }), expected);
    report(app.name, choice, tried(attempt));
  }
}
for (const app of webApps(folder, run)) {
  const built = tried(app.build);
  for (const isolated of [true, false]) {
    const outcome =
      built.failed || built.missing
        ? built
        : await runInChromium({ folder: app.output, model, isolated, expected });
    report(app.name, isolated ? "isolated page" : "page without isolation", outcome);
  }
}

/** Makes an attempt. Its error becomes a failure. */
function tried(attempt) {
  try {
    return attempt() ?? {};
  } catch (error) {
    return { failed: `FAILED: ${error.message}` };
  }
}

console.log("\n| where | how | same text | tokens/s |\n| --- | --- | --- | --- |");
for (const [name, loads, same, speed] of rows)
  console.log(`| ${name} | ${loads} | ${same.split("\n")[0]} | ${speed} |`);
process.exitCode = failures === 0 ? 0 : 1;
