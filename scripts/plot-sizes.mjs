// `node scripts/plot-sizes.mjs [results.json]`: the picture of sizes in docs/BENCHMARKS.md, light and dark,
// from the output of `node bench/sizes.mjs --output results.json`. A bar is tokens per second × parameters ÷
// cores, in billions, so that 125M and 100B fit one scale.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { drawBars, themes } from "./bar-chart.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const [file = join(root, "bench", "results", "sizes-2026-11-28.json")] = process.argv.slice(2);
const { machine, rows, published } = JSON.parse(readFileSync(file, "utf8"));

const parametersOf = (size) =>
  size === "2B4T" ? 2.4 : Number.parseFloat(size) * (size.endsWith("M") ? 1e-3 : 1);
const drawn = [];
for (const size of new Set(rows.map((row) => row.size))) {
  const [best] = rows.filter((row) => row.size === size).sort((a, b) => b.speed - a.speed);
  const bar = (speed, cores) => (speed * parametersOf(size)) / cores;
  drawn.push({ label: `${size}, ${best.threads} cores`, series: 0, value: bar(best.speed, best.threads) });
  for (const { cpu, cores, speeds } of published)
    if (speeds[size] !== undefined)
      drawn.push({ label: `${cpu}`, series: 1, value: bar(speeds[size], cores) });
}
const chart = {
  title: "Generated tokens per second × parameters ÷ cores",
  subtitle: `bitnet-wasm: ${machine}. bitnet.cpp: its published figures`,
  series: ["bitnet-wasm, this machine", "bitnet.cpp, its own machines"],
  rows: drawn,
  panelWidth: 520,
  panels: [
    {
      title: "Billions of parameters per second and core",
      bars: drawn.map(({ value }) => ({ value, least: value, most: value })),
    },
  ],
  footer: [
    "The machines differ in cores and memory, so this compares orders of magnitude, not engines.",
    "bitnet.cpp: i7-13700H has 14 cores, Apple M2 Ultra has 24. More is better.",
  ],
};
for (const [name, theme] of Object.entries(themes)) {
  const output = join(root, "docs", "images", `sizes-${name}.svg`);
  writeFileSync(output, drawBars(chart, theme));
  console.log(`written: ${relative(process.cwd(), output)}`);
}
