// Speed of the ternary matmuls on the shapes of 2B4T, in 10⁹ weight·activation products per second, with
// weights larger than the cache, on one thread.
//
//   node bench/ternary.mjs [--tokens 1,4,16,64] [--forms i16,i32]
//   node --experimental-wasm-revectorize bench/ternary.mjs      in 256 bits, on V8 13.6 and later
import { parseArgs } from "node:util";
import { dotForms, ternaryGroupsKernel, ternaryKernel } from "../dist/wasm/dot-forms.js";
import { compileKernels, instantiateKernels } from "../dist/wasm/kernel-build.js";
import { groupScratchBytes, ternaryScratchBytes } from "../dist/wasm/kernels.js";
import { lookupBytes, lookupRows, lookupSteps, runLookupStep } from "../dist/wasm/lookups.js";
import { createMemories } from "../dist/wasm/memory.js";

const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "1,4,16,64" },
    forms: { type: "string" },
    // rows, groups of 64 or 128, lookup for rows, lookup-64 or lookup-128 for groups
    kinds: { type: "string", default: "rows" },
    megabytes: { type: "string", default: "128" },
  },
});
const tokenCounts = values.tokens.split(",").map(Number);
const shapes = [
  [6912, 2560],
  [2560, 6912],
  [2560, 2560],
];
const maxTokens = Math.max(...tokenCounts);
const maxCols = 6912;
const weightBytes = Number(values.megabytes) * 1e6;

const compiled = await compileKernels();
const forms = values.forms?.split(",") ?? (compiled.build === "relaxed" ? dotForms : ["i8"]);
const memories = createMemories(weightBytes + (256 << 20));
const { index: region, memory } = memories.addRegion();
const kernels = instantiateKernels(compiled.module, memory);
const take = (bytes) => memories.allocate(region, bytes, "the benchmark");
const weights = take(weightBytes);
const scales = take(weightBytes / 4);
// No code is 3.
new Uint32Array(memory.buffer, weights, weightBytes / 4).fill(0x51951915);
const x = take(maxTokens * maxCols);
new Uint8Array(memory.buffer, x, maxTokens * maxCols).fill(3);
const records = take(maxTokens * 512);
const y = take(maxTokens * maxCols * 4);
const scratch = take(Math.max(ternaryScratchBytes, groupScratchBytes));
const workspace = { rows: lookupRows(maxCols, 4, 1), address: take(lookupBytes(lookupRows(maxCols, 4, 1))) };
const width = process.execArgv.includes("--experimental-wasm-revectorize") ? "wide" : "narrow";

/** By lookup tables, and the tokens that they leave over by tiles. */
function lookup({ at, form, rows, cols, tokens, groups }) {
  const recordBytes = groups === undefined ? 8 : (cols / groups.size) * 8;
  const common = {
    weights: at,
    groups,
    recordBytes,
    cols,
    begin: 0,
    end: rows,
    values: x,
    records,
    output: y,
    outputStride: rows * 4,
  };
  let done = 0;
  for (const step of lookupSteps(tokens, width)) {
    runLookupStep(kernels, { ...common, scale: 1, accumulate: false }, step, workspace);
    done = step.first + step.tokens;
  }
  const left = tokens - done;
  const [from, record, to] = [x + done * cols, records + done * 8, y + done * rows * 4];
  if (left === 0) return;
  if (groups === undefined)
    ternaryKernel(kernels, form)(at, cols, 0, rows, from, cols, record, left, to, rows * 4, scratch, 1, 0);
  else
    ternaryGroupsKernel(
      kernels,
      form,
      128,
    )(...[at, scales, cols, 0, rows, from, records, left, to, rows * 4, scratch, 1, 0]);
}

console.log(`node ${process.version}, ${compiled.build} build`);
for (const kind of values.kinds.split(",")) {
  for (const [rows, cols] of shapes) {
    const bytes = (rows * cols) / 4;
    const matrices = Math.floor(weightBytes / bytes);
    for (const form of forms) {
      const speeds = [];
      for (const tokens of tokenCounts) {
        let matrix = 0;
        const run = () => {
          matrix = (matrix + 1) % matrices;
          const at = weights + matrix * bytes;
          const groups =
            kind === "lookup"
              ? undefined
              : {
                  size: Number(kind.slice(7)),
                  address: scales,
                  rowBytes: (cols / Number(kind.slice(7))) * 4,
                };
          if (kind.startsWith("lookup")) lookup({ at, form, rows, cols, tokens, groups });
          else if (kind === "rows")
            ternaryKernel(
              kernels,
              form,
            )(...[at, cols, 0, rows, x, cols, records, tokens, y, rows * 4, scratch, 1, 0]);
          else
            ternaryGroupsKernel(
              kernels,
              form,
              Number(kind),
            )(...[at, scales, cols, 0, rows, x, records, tokens, y, rows * 4, scratch, 1, 0]);
        };
        for (let i = 0; i < 8; i += 1) run();
        await new Promise((resolve) => setTimeout(resolve, 100));
        const times = [];
        for (let i = 0; i < Math.max(12, 60 / tokens); i += 1) {
          const begin = performance.now();
          run();
          times.push(performance.now() - begin);
        }
        times.sort((a, b) => a - b);
        const median = times[times.length >> 1];
        speeds.push(`${tokens}: ${((rows * cols * tokens) / median / 1e6).toFixed(0)}`);
      }
      console.log(`${kind} ${rows} × ${cols}, form ${form}: ${speeds.join(", ")}`);
    }
  }
}
process.exit(0);
