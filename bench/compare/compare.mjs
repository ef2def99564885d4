// `npm run bench:compare`: this library and node-llama-cpp on the same weights, alternately in one run, so that what else
// the machine does falls on both. Prints medians and ratios with their spread; keeps every number under bench/results.
//
//   --size 2B4T   --threads 2   --rounds 5   --quick (few rounds, short tests)   --node PATH (run our side on another runtime)
import { fork, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));
const { values: options } = parseArgs({
  options: {
    size: { type: "string", default: "2B4T" },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "5" },
    quick: { type: "boolean", default: false },
    node: { type: "string", default: process.execPath },
    choices: { type: "string", default: "{}" },
    rival: { type: "boolean", default: true },
  },
  allowNegative: true,
});
const rounds = options.quick ? 2 : Number(options.rounds);
const contextLength = 2560;

function installRival() {
  if (existsSync(join(here, "node_modules", "node-llama-cpp"))) return;
  console.error("installing node-llama-cpp into bench/compare (its prebuilt binaries, no build)");
  const { status } = spawnSync(
    "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
    {
      cwd: here,
      stdio: ["ignore", 2, 2],
      shell: process.platform === "win32",
    },
  );
  if (status !== 0) throw new Error("node-llama-cpp could not be installed");
}

function startSide(script, args, execPath = process.execPath) {
  const child = fork(join(here, script), args, {
    execPath,
    execArgv: [],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const waiting = [];
  child.on("message", (message) => waiting.shift()?.(message));
  child.on("exit", (code) => waiting.shift()?.({ error: `${script} ended with code ${code}` }));
  const next = () => new Promise((resolve) => waiting.push(resolve));
  return {
    ready: next(),
    async measure(test) {
      const answer = next();
      child.send(test);
      const { milliseconds, error } = await answer;
      if (error) throw new Error(error);
      return milliseconds;
    },
    stop: () => child.send({ kind: "stop" }),
  };
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};
const spread = (values, digits) =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;

const tests = options.quick
  ? [
      { kind: "pp", tokens: 128, position: 0 },
      { kind: "tg", tokens: 16, position: 0 },
    ]
  : [
      { kind: "pp", tokens: 128, position: 0 },
      { kind: "pp", tokens: 512, position: 0 },
      { kind: "tg", tokens: 128, position: 0 },
      { kind: "tg", tokens: 32, position: 2000, oursOnly: true },
    ];
const nameOf = ({ kind, tokens, position }) => `${kind}${tokens}${position > 0 ? ` at ${position}` : ""}`;

const { makeModels } = await import("./models.mjs");
const folder = join(root, ".cache", "models");
mkdirSync(folder, { recursive: true });
const models = await makeModels(folder, options.size);
if (options.rival) installRival();

// The file is in the page cache for both sides, or for neither.
spawnSync("sh", ["-c", `cat "${models.ours}" "${models.rival}" > /dev/null`]);
const ours = startSide(
  "ours.mjs",
  [models.ours, options.threads, String(contextLength), options.choices],
  options.node,
);
const oursReady = (await ours.ready).ready;
const rival = options.rival
  ? startSide("rival.mjs", [models.rival, options.threads, String(contextLength)])
  : undefined;
const rivalReady = rival && (await rival.ready).ready;

const results = tests.map((test) => ({ test, name: nameOf(test), ours: [], rival: [] }));
for (const side of [ours, rival])
  if (side)
    for (const { test } of results.slice(0, 3))
      await side.measure({ ...test, tokens: Math.min(test.tokens, 16) });
for (let round = 0; round < rounds; round += 1) {
  for (const result of results) {
    const { test } = result;
    const order = round % 2 === 0 ? ["ours", "rival"] : ["rival", "ours"];
    for (const side of order) {
      if (side === "rival" && (test.oursOnly || !rival)) continue;
      const milliseconds = await (side === "ours" ? ours : rival).measure(test);
      result[side].push((test.tokens * 1000) / milliseconds);
    }
  }
  console.error(`round ${round + 1} of ${rounds}`);
}
ours.stop();
rival?.stop();

console.log(
  `\n${options.size}, ${options.threads} threads, ${oursReady.runtime}, kernels ${oursReady.kernelBuild}`,
);
if (rivalReady)
  console.log(
    `against node-llama-cpp ${rivalReady.version} (llama.cpp ${rivalReady.release ?? "?"}), TQ2_0, same weights\n`,
  );
console.log("| test | bitnet-wasm tok/s | node-llama-cpp tok/s | ratio (per round) |\n|---|---|---|---|");
for (const { name, ours: a, rival: b } of results) {
  const ratios = b.map((value, i) => a[i] / value);
  console.log(
    `| ${name} | ${spread(a, 1)} | ${b.length ? spread(b, 1) : "–"} | ${b.length ? spread(ratios, 2) : "–"} |`,
  );
}
const tg = results.find(({ test }) => test.kind === "tg" && test.position === 0);
const far = results.find(({ test }) => test.kind === "tg" && test.position > 0);
if (far) console.log(`| decode at 2000 against 0 | ${(median(far.ours) / median(tg.ours)).toFixed(2)} | | |`);
const gb = (bytes) => (bytes / 1e9).toFixed(2);
console.log(
  `| load, s | ${(oursReady.loadMs / 1000).toFixed(2)} | ${rivalReady ? (rivalReady.loadMs / 1000).toFixed(2) : "–"} | |`,
);
console.log(
  `| RSS after load, GB | ${gb(oursReady.afterLoadBytes)} | ${rivalReady ? gb(rivalReady.afterLoadBytes) : "–"} | |`,
);

const { stdout: commit } = spawnSync("git", ["rev-parse", "--short", "HEAD"], {
  cwd: root,
  encoding: "utf8",
});
const record = {
  date: new Date().toISOString(),
  commit: commit.trim(),
  machine: {
    cpu: os.cpus()[0]?.model,
    cores: os.cpus().length,
    memoryBytes: os.totalmem(),
    platform: os.platform(),
    arch: os.arch(),
  },
  options,
  ours: oursReady,
  rival: rivalReady,
  results,
};
const file = join(
  root,
  "bench",
  "results",
  `compare-${options.size}-${record.date.replace(/[:.]/g, "-")}.json`,
);
writeFileSync(file, `${JSON.stringify(record, null, 1)}\n`);
console.log(`\nraw results: ${file.slice(root.length)}`);
