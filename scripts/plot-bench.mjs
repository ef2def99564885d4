// `npm run bench:plot [-- results.json] [--out docs/images/speed] [--native-name NAME]`: the picture in
// README.md, light and dark, from the results of `npm run bench:compare -- --runtimes`. Default: the newest
// results. A native engine is called "llama-bench" unless it has a name.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { isDisturbed } from "../bench/compare/disturbance.mjs";
import { drawBars, themes } from "./bar-chart.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const rivalId = "llama";
const nativeId = "native";

function fail(message) {
  console.error(`bench:plot: ${message}`);
  process.exit(2);
}

function newestResults() {
  const folder = join(root, "bench", "results");
  // Names end with the date, and several runtimes make the better picture.
  const [name] = readdirSync(folder)
    .filter((file) => /^runtimes-.*\.json$/.test(file))
    .sort((a, b) => (a.slice(-29) < b.slice(-29) ? 1 : -1));
  if (name === undefined)
    fail("there are no results in bench/results: run npm run bench:compare -- --runtimes first");
  return join(folder, name);
}

function readRecord(file) {
  try {
    const record = JSON.parse(readFileSync(file, "utf8"));
    if (Array.isArray(record?.sides) && Array.isArray(record.tests)) return record;
  } catch (error) {
    fail(`${file}: ${error.message}`);
  }
  return fail(`${file}: not results of bench:compare, or of an older version`);
}

function spreadOf(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [(sorted.length - 1) >> 1, sorted.length >> 1].map((index) => sorted[index]);
  return { value: (low + high) / 2, least: sorted[0], most: sorted.at(-1) };
}

/** The longest test of a kind that begins with an empty context. */
function longest(record, kind) {
  return record.tests
    .filter(
      (test) =>
        test.kind === kind && test.position === 0 && Object.values(test.samples).some((s) => s.length > 0),
    )
    .sort((a, b) => b.tokens - a.tokens)[0];
}

/**
 * The most bytes a second that any side read, doing nothing else: the machine's, as far as this run has seen
 * it.
 */
function mostRead(record) {
  const samples = record.tests
    .filter(({ kind }) => kind === "read")
    .flatMap((test) => Object.values(test.samples));
  return Math.max(0, ...samples.map((values) => spreadOf(values).value));
}

const shortVersion = (version) => version.replace(/(\d+\.\d+)\.[\d.]+$/, "$1");

/** The drawn values of a record. */
function chartOf(record, nativeName) {
  const { machine, options, sides } = record;
  const perSecond = mostRead(record);
  const names = { [rivalId]: "node-llama-cpp", [nativeId]: nativeName };
  const rivals = sides.map(({ id }) => names[id]).filter((name) => name !== undefined);
  const barsOf = (test, limitPerSecond) =>
    sides.map(({ id, bytesPerToken }) => {
      const samples = test.samples[id];
      if (!(samples?.length > 0)) return undefined;
      const limit = limitPerSecond > 0 && bytesPerToken > 0 ? limitPerSecond / bytesPerToken : undefined;
      return { ...spreadOf(samples), limit };
    });
  const [decode, prompt] = [longest(record, "tg"), longest(record, "pp")];
  const panels = [
    ...(decode
      ? [{ title: `Writing (${decode.name}), tokens per second`, bars: barsOf(decode, perSecond) }]
      : []),
    ...(prompt
      ? [{ title: `Reading (${prompt.name}), tokens per second`, bars: barsOf(prompt, undefined) }]
      : []),
  ];
  const cpu = `${machine.cpu}, ${machine.cores} cores, ${machine.platform} ${machine.arch}`;
  const memory = `${(perSecond / 1e9).toFixed(0)} GB/s`;
  return {
    title: `A ternary model of the ${options.size} shape on ${options.threads} ${options.threads === 1 ? "thread" : "threads"}`,
    subtitle: `${cpu}; ${record.date.slice(0, 10)}, commit ${record.commit}`,
    series: [
      "bitnet-wasm: WebAssembly on each runtime",
      ...(rivals.length > 0 ? [`${rivals.join(" and ")}: native, same weights`] : []),
    ],
    rows: sides.map(({ id, version }) => ({
      label: id === nativeId ? nativeName : shortVersion(version),
      series: id in names ? 1 : 0,
    })),
    panels,
    footer: [
      ...(isDisturbed(record)
        ? [
            "Measured while other programs ran, which disturbs some sides more than others: to be measured again.",
          ]
        : []),
      `Bars: median of ${options.rounds} rounds; lines: least and most. More is better.`,
      ...(perSecond > 0 && decode
        ? [`Pale: what reading the weights of each token would allow at the ${memory} that this memory gave.`]
        : []),
    ],
  };
}

let options;
try {
  options = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: "string", default: join(root, "docs", "images", "speed") },
      "native-name": { type: "string", default: "llama-bench" },
    },
  });
} catch (error) {
  fail(error.message);
}
const { values, positionals } = options;
if (positionals.length > 1) fail(`one file of results is drawn, not ${positionals.length}`);
const chart = chartOf(readRecord(positionals[0] ?? newestResults()), values["native-name"]);
if (chart.panels.length === 0) fail("these results hold no speeds");
mkdirSync(dirname(values.out), { recursive: true });
for (const [name, theme] of Object.entries(themes)) {
  const file = `${values.out}-${name}.svg`;
  writeFileSync(file, drawBars(chart, theme));
  console.log(`written: ${relative(process.cwd(), file)}`);
}
