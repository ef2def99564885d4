/**
 * Speed by size of model: random models of the shapes of bitnet.cpp's dummy generator. One row per size and
 * packing: generated tokens per second, per core, and per GB/s of the read bandwidth that `bench` measures.
 * The packings of a size alternate, so that other programs disturb both alike. Then bitnet.cpp's published
 * speeds of the same sizes.
 *
 *   node bench/sizes.mjs                            # every size that fits the free memory and disk
 *   node bench/sizes.mjs 2B4T 13B --rounds 5        # these sizes
 *   node bench/sizes.mjs 100B --type tq1_0 --packing small --keep
 *
 * Models are written to --folder (default: .cache/models) and deleted after use, except with --keep.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { dummyShapes, dummyTensors } from "#dist/tools/dummy/shapes.js";
import { freeMemoryBytes } from "#dist/platform/node.js";
import { published } from "./published-speeds.mjs";

const cli = fileURLToPath(new URL("../dist/node/bitnet.js", import.meta.url));
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    type: { type: "string", default: "tq1_0" },
    packing: { type: "string", default: "fast,small" },
    rounds: { type: "string", default: "3" },
    generated: { type: "string", default: "32" },
    prompt: { type: "string", default: "128" },
    threads: { type: "string", default: String(availableParallelism()) },
    folder: { type: "string", default: fileURLToPath(new URL("../.cache/models", import.meta.url)) },
    output: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});

/** A rough plan: bits per weight in memory, with room for the context and buffers. */
const bits = { fast: 2, small: 1.7 };
const weightsOf = (size, isCounted) =>
  dummyTensors(dummyShapes.get(size))
    .filter(({ role }) => isCounted(role))
    .reduce((sum, { shape }) => sum + shape.reduce((product, count) => product * count, 1), 0);
const memoryOf = (size, packing) =>
  (weightsOf(size, (role) => role !== "embedding") * bits[packing]) / 8 +
  weightsOf(size, (role) => role === "embedding") * 2;
const margin = 2e9;

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const run = (...args) =>
  execFileSync(process.execPath, [cli, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

function measure(size) {
  const path = join(flags.folder, `sizes-${size}-${flags.type}.gguf`);
  const packings = flags.packing.split(",").filter((packing) => {
    const fits = memoryOf(size, packing) + margin < freeMemoryBytes();
    if (!fits) console.error(`${size}, ${packing}: does not fit the free memory, left out`);
    return fits;
  });
  if (packings.length === 0) return [];
  if (!existsSync(path)) {
    const { bavail, bsize } = statfsSync(flags.folder);
    if (memoryOf(size, "fast") + margin > bavail * bsize) {
      console.error(`${size}: does not fit the free disk, left out`);
      return [];
    }
    run("dummy", "--size", size, "--type", flags.type, "-o", path);
  }
  try {
    const results = new Map(packings.map((packing) => [packing, []]));
    for (let round = 0; round < Number(flags.rounds); round += 1) {
      for (const packing of round % 2 === 0 ? packings : packings.toReversed()) {
        const bench = ["bench", path, "--packing", packing, "-p", flags.prompt, "-n", flags.generated];
        const more = ["-t", flags.threads, "-r", "1", "--json", "--details"];
        results.get(packing).push(JSON.parse(run(...bench, ...more)));
      }
    }
    return packings.map((packing) => summarize(size, packing, results.get(packing)));
  } finally {
    if (!flags.keep) rmSync(path, { force: true });
  }
}

function summarize(size, packing, rounds) {
  const find = (kind) => rounds.map((rows) => rows.find(({ test }) => test.startsWith(kind)));
  const of = (kind, key) => {
    const numbers = find(kind)
      .map((row) => row?.[key])
      .filter((value) => typeof value === "number");
    return numbers.length === 0 ? undefined : median(numbers);
  };
  const threads = Number(flags.threads);
  const speed = of("tg", "medianTokensPerSecond");
  const bandwidth = of("tg", "bandwidthBytesPerSecond");
  return {
    size,
    packing,
    threads,
    kernelBuild: find("tg")[0]?.kernelBuild,
    loadSeconds: of("tg", "loadMs") / 1000,
    peakGb: of("tg", "peakRssBytes") / 1e9,
    promptSpeed: of("pp", "medianTokensPerSecond"),
    speed,
    gbPerToken: of("tg", "bytesPerToken") / 1e9,
    bandwidthGb: bandwidth / 1e9,
    perCore: speed / threads,
    perGb: speed / (bandwidth / 1e9),
    shareOfLimit: of("tg", "bandwidthShare"),
  };
}

const number = (value, digits) =>
  value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits ?? (value < 10 ? 2 : 1));
const columns = [
  ["size", (row) => row.size],
  ["packing", (row) => row.packing],
  ["GB a token", (row) => number(row.gbPerToken, 2)],
  ["pp tokens/s", (row) => number(row.promptSpeed)],
  ["tg tokens/s", (row) => number(row.speed)],
  ["a core", (row) => number(row.perCore)],
  ["a GB/s read", (row) => number(row.perGb, 3)],
  ["GB/s read", (row) => number(row.bandwidthGb)],
  ["of limit", (row) => `${number(row.shareOfLimit * 100, 0)} %`],
  ["load s", (row) => number(row.loadSeconds)],
  ["peak GB", (row) => number(row.peakGb)],
];
const line = (cells) => `| ${cells.join(" | ")} |`;

mkdirSync(flags.folder, { recursive: true });
const sizes =
  positionals.length > 0 ? positionals : [...dummyShapes.keys()].filter((name) => name !== "tiny");
const rows = [];
console.log(`${cpus()[0]?.model}, ${flags.threads} threads, Node.js ${process.version}, ${flags.type}`);
console.log(line(columns.map(([title]) => title)));
console.log(line(columns.map(() => "---")));
for (const size of sizes) {
  if (!dummyShapes.has(size)) throw new Error(`no size ${size}`);
  for (const row of measure(size)) {
    rows.push(row);
    console.log(line(columns.map(([, cell]) => cell(row))));
  }
}
for (const { cpu, cores, bandwidthGb, source, speeds } of published) {
  console.log(`\nbitnet.cpp on ${cpu}, ${cores} cores, read off ${source}`);
  console.log(line(["size", "tokens/s", "a core", "a GB/s of the data sheet"]));
  console.log(line(["---", "---", "---", "---"]));
  for (const size of sizes) {
    const speed = speeds[size];
    if (speed === undefined) continue;
    const perGb = bandwidthGb === undefined ? undefined : speed / bandwidthGb;
    console.log(line([size, number(speed), number(speed / cores), number(perGb, 3)]));
  }
}
if (flags.output !== undefined)
  writeFileSync(
    flags.output,
    `${JSON.stringify({ machine: `${cpus()[0]?.model}, Node.js ${process.version}`, rows, published }, null, 2)}\n`,
  );
