// Refuses imports that go up, and wasm calls outside the few places that may make them (docs/ARCHITECTURE.md).
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const src = fileURLToPath(new URL("../src", import.meta.url));

/** From the bottom up. A part may import parts of its own and lower lines. */
const layers = [
  ["errors", "platform", "options"],
  ["weight-formats", "files", "hub"],
  ["architectures", "wasm", "text"],
  ["packing", "checkpoints", "grammar"],
  ["model"],
  ["graph"],
  ["engine"],
  ["generation"],
  ["language-model", "tools"],
  ["server"],
  ["index", "cli"],
];
/** Pairs of one line, or of two, that must not know each other at all. */
const strangers = [
  ["model", "text"],
  ["graph", "text"],
  ["engine", "text"],
  ["text", "wasm"],
  ["architectures", "text"],
  ["packing", "text"],
];
/** The kernels' names, from the table of what a module exports. */
const kernels = [
  ...readFileSync(join(src, "wasm", "kernels.ts"), "utf8").matchAll(
    /^  (?:readonly )?([a-z0-9]+_[a-z0-9_]+)[:(]/gm,
  ),
].map(([, name]) => name);
const kernelCall = new RegExp(`\\.(?:${kernels.join("|")})\\b`, "g");
/** Only here may they be called: each call is a crossing into wasm. */
const crossings =
  /^(wasm\/|packing\/|graph\/(operations|output-operations|prepare-input|matmuls|attention|sparse-matmuls|worker)\.ts$|engine\/(file-rows|screening)\.ts$)/;

const rank = new Map(layers.flatMap((names, height) => names.map((name) => [name, height])));
const partOf = (file) => relative(src, file).split("/")[0].replace(/\.ts$/, "");
const problems = [];

for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath ?? entry.path, entry.name);
  if (!entry.isFile() || !file.endsWith(".ts") || file.includes("generated")) continue;
  const text = readFileSync(file, "utf8");
  const name = relative(src, file);
  const part = partOf(file);
  if (!rank.has(part)) problems.push(`${name}: "${part}" has no place in scripts/layers.mjs`);
  for (const [, target] of text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
    const other = partOf(resolve(dirname(file), target.replace(/\.js$/, ".ts")));
    if (other === part) continue;
    if (rank.get(other) > rank.get(part)) problems.push(`${name}: imports "${target}", which lies above it`);
    if (strangers.some((pair) => pair.includes(part) && pair.includes(other))) {
      problems.push(`${name}: "${part}" and "${other}" must not know each other`);
    }
  }
  if (!crossings.test(name)) {
    for (const [call] of text.matchAll(kernelCall)) {
      problems.push(`${name}: uses a kernel (${call})`);
    }
  }
}

for (const problem of problems) console.error(problem);
console.log(`layers: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
