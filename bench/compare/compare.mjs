// `npm run bench:compare`: this library, on one runtime or several, and node-llama-cpp on the same weights,
// alternately in one run, so that what else the machine does falls on all. Prints medians and ratios with
// their spread; keeps every number.
import { spawnSync } from "node:child_process";
import { createReadStream, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { freeMemoryBytes } from "../../dist/platform/node.js";
import { dummyShapes } from "../../dist/tools/dummy/shapes.js";
import { findChromium } from "../../scripts/bundlers/chromium.mjs";
import { installLlamaCpp } from "../../scripts/llama-cpp.mjs";
import { installRuntime, isThisRuntime, runtimes } from "../../scripts/runtime-binaries.mjs";
import { installWllama, wllamaVersion } from "../../scripts/wllama.mjs";
import { makeModels } from "./models.mjs";
import { help, parseOptions, UsageError } from "./options.mjs";
import { describeRecord } from "./report.mjs";
import { startSide } from "./side.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const mostContext = 2560;
const atPosition = (position) => ({ kind: "tg", tokens: 32, position });

/** Beyond its model, what a process of a side takes. */
const processBytes = 300e6;

const fullTests = [
  { kind: "pp", tokens: 128, position: 0 },
  { kind: "pp", tokens: 512, position: 0 },
  { kind: "tg", tokens: 128, position: 0 },
  { kind: "tg", tokens: 32, position: 2000 },
  { kind: "first", tokens: 1, position: 0 },
  { kind: "read", tokens: 0, position: 0 },
];
const quickTests = [
  { kind: "pp", tokens: 128, position: 0 },
  { kind: "tg", tokens: 32, position: 0 },
  { kind: "first", tokens: 1, position: 0 },
  { kind: "read", tokens: 0, position: 0 },
];

function nameOf({ kind, tokens, position }) {
  if (kind === "first" || kind === "read") return kind;
  return `${kind}${tokens}${position > 0 ? ` at ${position}` : ""}`;
}

/** The URL of node-llama-cpp's module. */
function rivalUrl() {
  const { url, missing } = installLlamaCpp(root);
  if (url === undefined) throw new Error(`${missing}; --no-rival does without it`);
  return url;
}

/** The runners of our side: every wanted runtime that is available. */
function findRuntimes({ runtimeIds, node }) {
  if (runtimeIds === undefined) {
    const command = node ?? process.execPath;
    const { stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
    const major = /^v(\d+)\./.exec(stdout ?? "")?.[1];
    if (major === undefined)
      throw new UsageError(`--node ${command}: it does not print its version like Node.js`);
    return [{ id: `node${major}`, command, args: [] }];
  }
  const found = runtimes
    .filter(({ id }) => runtimeIds.includes(id))
    .flatMap((runtime) => {
      const { id, name, args } = runtime;
      if (isThisRuntime(runtime)) return [{ id, command: process.execPath, args }];
      console.error(`${name}: looking for it in .cache/runtimes, or installing it`);
      const { binary, missing } = installRuntime(root, runtime);
      if (missing !== undefined) console.error(`${name}: NOT MEASURED, ${missing}`);
      return binary === undefined ? [] : [{ id, command: binary, args }];
    });
  if (found.length === 0) throw new Error("none of the runtimes could be had");
  return found;
}

/** The sides that are pages in Chromium. */
function pageSides({ chromium, wllama }, ourSettings, rivalSettings) {
  if (!chromium && !wllama) return [];
  const executablePath = findChromium();
  if (executablePath === undefined)
    throw new Error("there is no Chromium in the PATH and none named by CHROMIUM");
  const side = (id, settings) => ({
    id,
    script: "browser.mjs",
    command: process.execPath,
    args: [],
    settings: { ...settings, executablePath },
  });
  const sides = chromium ? [side("chromium", { ...ourSettings, page: "ours" })] : [];
  if (!wllama) return sides;
  const { folder, missing } = installWllama(root);
  if (missing !== undefined) throw new Error(missing);
  return [
    ...sides,
    side("wllama", { ...rivalSettings, page: "wllama", wllamaFolder: folder, version: wllamaVersion }),
  ];
}

/** The file is in the page cache for all sides. */
async function readOnce(path) {
  for await (const _ of createReadStream(path, { highWaterMark: 1 << 24 }));
}

/** Fails before the machine begins to swap: all sides stay loaded, to be measured in turn. */
function requireMemory(sides) {
  const need = sides.reduce(
    (sum, { settings }) => sum + statSync(settings.path).size * 1.3 + processBytes,
    0,
  );
  const free = freeMemoryBytes();
  if (need <= free) return;
  const gb = (bytes) => (bytes / 1e9).toFixed(1);
  throw new UsageError(
    `${sides.length} processes with the model in memory need about ${gb(need)} GB and ${gb(free)} GB are free: ` +
      "choose fewer with --only or --no-rival, or a smaller --size",
  );
}

/** Starts every side `loads` times, in turn; the last ones stay. */
async function startSides(sides, loads, running) {
  const times = new Map(sides.map(({ id }) => [id, []]));
  for (let load = 0; load < loads; load += 1) {
    for (const side of sides) {
      const started = await startSide(side);
      const { loadMs, firstTokenMs } = started.ready;
      // A llama-bench loads its model for each measurement, and does not say how long that takes.
      if (loadMs !== undefined) times.get(side.id).push({ loadMs, firstTokenMs });
      if (load === loads - 1) running.set(side.id, started);
      else await started.stop();
    }
    console.error(`start ${load + 1} of ${loads}`);
  }
  return times;
}

/** The sides that run a test. */
function sidesOf(test, all, positions) {
  // A llama-bench measures whole prompts and whole texts only.
  const sides = test.kind === "pp" || test.kind === "tg" ? all : all.filter(({ id }) => id !== "native");
  // It begins with a prompt of thousands of tokens: one side is enough to see how attention grows.
  if (positions !== undefined) return sides.filter(({ id }) => id !== "native");
  if (test.position > 0) return [sides.find(({ id }) => id === "node24") ?? sides[0]];
  return test.kind === "read" ? sides.filter(({ id }) => id !== "llama" && id !== "wllama") : sides;
}

/** The recorded value of a measurement: tokens, milliseconds, or bytes per second. */
const sampleOf = {
  pp: (ms, { tokens }) => (tokens * 1000) / ms,
  tg: (ms, { tokens }) => (tokens * 1000) / ms,
  first: (ms) => ms,
  read: (bytesPerSecond) => bytesPerSecond,
};

/**
 * Measures the share of processor time that is neither idle nor used by the sides: other programs, or time
 * withheld by a host. Returns a function that ends the measurement.
 */
async function watchOthers(running) {
  const read = async () => {
    const { user, system } = process.cpuUsage();
    let own = (user + system) / 1000;
    for (const side of running.values()) own += await side.measure({ kind: "cpu" });
    const idle = os.cpus().reduce((sum, { times }) => sum + times.idle, 0);
    return { at: performance.now(), own, idle };
  };
  const before = await read();
  return async () => {
    const after = await read();
    const all = (after.at - before.at) * os.cpus().length;
    return Math.max(0, 1 - (after.idle - before.idle + after.own - before.own) / all);
  };
}

async function measureRounds(tests, sides, running, { rounds, positions }) {
  const results = tests.map((test) => ({ ...test, name: nameOf(test), samples: {} }));
  for (const test of tests.filter(({ position }) => position === 0)) {
    for (const { id } of sidesOf(test, sides, positions)) {
      await running.get(id).measure({ ...test, tokens: Math.min(test.tokens, 16) });
    }
  }
  const others = [];
  for (let round = 0; round < rounds; round += 1) {
    const endWatch = await watchOthers(running);
    for (const result of results) {
      const order = sidesOf(result, sides, positions);
      // The first side of a round is last in a later round.
      const turn = round % order.length;
      for (const { id } of [...order.slice(turn), ...order.slice(0, turn)]) {
        const { kind, tokens, position } = result;
        const value = await running.get(id).measure({ kind, tokens, position });
        (result.samples[id] ??= []).push(sampleOf[kind](value, result));
      }
    }
    others.push(await endWatch());
    console.error(`round ${round + 1} of ${rounds}`);
  }
  return { results, others };
}

function git(...args) {
  const { status, stdout } = spawnSync("git", args, { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

function commitName() {
  const commit = git("rev-parse", "--short", "HEAD");
  if (commit === undefined) return "unknown";
  return git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results") === ""
    ? commit
    : `${commit} with changes`;
}

async function compare(options) {
  const folder = options.models ?? join(root, ".cache", "models");
  const results = options.results ?? join(root, "bench", "results");
  for (const path of [folder, results]) mkdirSync(path, { recursive: true });
  const found = findRuntimes(options);
  const models = await makeModels(folder, options.size, {
    rival:
      options.rival || options.wllama || (options.native !== undefined && options.nativeModel === undefined),
  });
  const most = Math.max(mostContext, ...(options.positions ?? []).map((position) => position + 64));
  const contextLength = Math.min(most, dummyShapes.get(options.size).contextLength);
  const fits = ({ tokens, position }) => Math.max(position, 2) + tokens + 1 <= contextLength;
  const usual = options.quick ? quickTests : fullTests;
  const wanted = options.positions?.map(atPosition) ?? options.tests ?? usual;
  const tests = wanted.filter((test) => {
    if (!fits(test)) console.error(`${nameOf(test)} is skipped: the context holds ${contextLength} tokens`);
    return fits(test);
  });
  const common = { threads: options.threads, contextLength };
  const ourSettings = { ...common, path: models.ours, choices: options.choices };
  const sides = found.flatMap((runtime) =>
    options.cacheTypes.map((cacheType) => ({
      ...runtime,
      id: cacheType === "f16" ? runtime.id : `${runtime.id}-${cacheType}`,
      script: "ours.mjs",
      settings: { ...ourSettings, cacheType },
    })),
  );
  if (options.rival) {
    const settings = { ...common, path: models.rival, llamaCppUrl: rivalUrl() };
    sides.push({ id: "llama", script: "rival.mjs", command: process.execPath, args: [], settings });
  }
  if (options.native !== undefined) {
    const settings = { ...common, binary: options.native, path: options.nativeModel ?? models.rival };
    sides.push({ id: "native", script: "native.mjs", command: process.execPath, args: [], settings });
  }
  sides.push(...pageSides(options, ourSettings, { ...common, path: models.rival }));
  requireMemory(sides);
  for (const path of new Set(sides.map(({ settings }) => settings.path))) await readOnce(path);

  const running = new Map();
  try {
    const loads = await startSides(sides, options.loads, running);
    const { results: measured, others } = await measureRounds(tests, sides, running, options);
    const described = [];
    for (const { id } of sides) {
      const { loadMs: _load, firstTokenMs: _first, ...ready } = running.get(id).ready;
      const peakRssBytes = await running.get(id).measure({ kind: "peak" });
      const rivalBytes = (id === "llama" || id === "wllama") && { bytesPerToken: models.rivalBytesPerToken };
      described.push({ id, ...ready, ...rivalBytes, loads: loads.get(id), peakRssBytes });
    }
    for (const side of running.values()) await side.stop();
    const {
      size,
      threads,
      rounds,
      loads: starts,
      quick,
      choices,
      cacheTypes,
      tests: asked,
      positions,
    } = options;
    return {
      date: new Date().toISOString(),
      commit: commitName(),
      node: process.versions.node,
      machine: {
        cpu: os.cpus()[0]?.model.trim() ?? "unknown",
        cores: os.cpus().length,
        memoryBytes: os.totalmem(),
        platform: os.platform(),
        arch: os.arch(),
      },
      options: { size, threads, rounds, loads: starts, quick, choices, cacheTypes, tests: asked, positions },
      sides: described,
      othersShare: others,
      tests: measured,
    };
  } finally {
    for (const side of running.values()) side.kill();
  }
}

function keep(record, folder) {
  const what =
    record.options.positions !== undefined ? "positions" : record.sides.length > 2 ? "runtimes" : "compare";
  const file = join(folder, `${what}-${record.options.size}-${record.date.replace(/[:.]/g, "-")}.json`);
  writeFileSync(file, `${JSON.stringify(record, null, 1)}\n`);
  return file;
}

function readRecord(file) {
  let record;
  try {
    record = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`--print ${file}: ${error.message}`);
  }
  if (!Array.isArray(record?.sides) || !Array.isArray(record.tests)) {
    throw new UsageError(`--print ${file}: not results of bench:compare, or of an older version`);
  }
  return record;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(help);
  else if (options.print !== undefined) console.log(describeRecord(readRecord(options.print)));
  else {
    const record = await compare(options);
    const file = keep(record, options.results ?? join(root, "bench", "results"));
    console.log(`\n${describeRecord(record)}\n\nraw results: ${relative(process.cwd(), file)}`);
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`bench:compare: ${error.message}`);
  process.exit(2);
}
