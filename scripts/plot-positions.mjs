// `node scripts/plot-positions.mjs [results.json]`: the picture of decode by position in docs/BENCHMARKS.md,
// light and dark, from `npm run bench:compare -- --positions LIST`. Default: the newest results.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { drawBars, themes } from "./bar-chart.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "bench", "results");
const [newest] = readdirSync(folder)
  .filter((name) => name.startsWith("positions-"))
  .sort((a, b) => (a.slice(-29) < b.slice(-29) ? 1 : -1));
const file = process.argv[2] ?? (newest && join(folder, newest));
if (file === undefined) {
  console.error("no results of positions in bench/results: run npm run bench:compare -- --positions LIST");
  process.exit(2);
}
const { machine, options, sides, tests } = JSON.parse(readFileSync(file, "utf8"));

// The second colour is node-llama-cpp's in every picture.
const order = [...sides].sort((a, b) => rankOf(a) - rankOf(b));
function rankOf(side) {
  if (side.id === "llama") return 1;
  return side === sides[0] ? 0 : 2;
}

const drawn = tests.flatMap(({ position, samples }) =>
  sides.map((side, row) => {
    const { id } = side;
    const series = order.indexOf(side);
    const sorted = [...samples[id]].sort((a, b) => a - b);
    const value = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
    const label = row === 0 ? `position ${position}` : "";
    return { label, series, bar: { value, least: sorted[0], most: sorted.at(-1) } };
  }),
);
const chart = {
  title: "Generated tokens per second by position",
  subtitle: `${options.size}, ${options.threads} threads, ${machine.cpu}`,
  series: order.map((side) => (side === sides[0] ? `bitnet-wasm, ${side.version}` : side.version)),
  rows: drawn,
  panelWidth: 520,
  panels: [{ title: "Tokens per second", bars: drawn.map(({ bar }) => bar) }],
  footer: [`Median of ${options.rounds} rounds, with minimum and maximum. More is better.`],
};
for (const [name, theme] of Object.entries(themes)) {
  const output = join(root, "docs", "images", `positions-${name}.svg`);
  writeFileSync(output, drawBars(chart, theme));
  console.log(`written: ${relative(process.cwd(), output)}`);
}
