// Speed of the ternary matmuls on the shapes of 2B4T, in 10⁹ weight·activation products per second, with
// weights larger than the cache, on one thread.
//
//   node bench/ternary.mjs [--tokens 1,4,16,64] [--forms i16,i32]
//   node --experimental-wasm-revectorize bench/ternary.mjs      in 256 bits, on V8 13.6 and later
import { parseArgs } from "node:util";
import { base3Kernel, dotForms, ternaryGroupsKernel, ternaryKernel } from "../dist/wasm/dot-forms.js";
import { compileKernels, instantiateKernels } from "../dist/wasm/kernel-build.js";
import { groupScratchBytes, ternaryScratchBytes } from "../dist/wasm/kernels.js";
import { lookupBytes, lookupRows, lookupSteps, runLookupStep } from "../dist/wasm/lookups.js";
import { createMemories } from "../dist/wasm/memory.js";

const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "1,4,16,64" },
    forms: { type: "string" },
    // rows, base3, 64 or 128 for groups; lookup, lookup-base3, lookup-64, lookup-128;
    // wide: rows by the tiles for 256 bits, which are in form i32
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
fillCodes(new Uint8Array(memory.buffer, weights, weightBytes));
const x = take(maxTokens * maxCols);
new Uint8Array(memory.buffer, x, maxTokens * maxCols).fill(3);
const records = take(maxTokens * 512);
const y = take(maxTokens * maxCols * 4);
const scratch = take(Math.max(ternaryScratchBytes, groupScratchBytes));
const workspace = { rows: lookupRows(maxCols, 4, 1), address: take(lookupBytes(lookupRows(maxCols, 4, 1))) };
const width = process.execArgv.includes("--experimental-wasm-revectorize") ? "wide" : "narrow";

/** Random ternary codes, so that lookups meet all entries of their tables. No code is 3. */
function fillCodes(bytes) {
  const some = Uint8Array.from({ length: 1_000_003 }, () => {
    const code = () => Math.floor(Math.random() * 3);
    return (code() << 6) | (code() << 4) | (code() << 2) | code();
  });
  for (let at = 0; at < bytes.length; at += some.length)
    bytes.set(some.subarray(0, Math.min(some.length, bytes.length - at)), at);
}

/** A matmul of rows × cols weights at `at` with `tokens` tokens, by kind. */
function multiply(kind, { at, form, rows, cols, tokens }) {
  const size = { 64: 64, 128: 128, "lookup-64": 64, "lookup-128": 128 }[kind];
  const codes = kind.endsWith("base3") ? "base3" : "ternary";
  const recordBytes = size === undefined ? 8 : (cols / size) * 8;
  const groups = size && { size, address: scales, rowBytes: (cols / size) * 4 };
  const rowBytes = codes === "base3" ? Math.ceil(cols / 160) * 32 : cols / 4;
  let done = 0;
  if (kind.startsWith("lookup")) {
    const operands = { codes, weights: at, rowBytes, groups, recordBytes, cols, values: x, records };
    const output = { begin: 0, end: rows, address: y, stride: rows * 4, scale: 1, accumulate: false };
    for (const step of lookupSteps(tokens, width, codes)) {
      runLookupStep(kernels, { ...operands, ...output }, step, workspace);
      done = step.first + step.tokens;
    }
  }
  const left = tokens - done;
  if (left === 0) return;
  const [from, record, to] = [x + done * cols, records + done * recordBytes, y + done * rows * 4];
  const last = [left, to, rows * 4, scratch, 1, 0];
  if (size !== undefined)
    ternaryGroupsKernel(kernels, form, size)(at, scales, cols, 0, rows, from, record, ...last);
  else if (codes === "base3") base3Kernel(kernels, form)(at, cols, 0, rows, from, cols, record, ...last);
  else {
    const kernel = kind === "wide" ? kernels.matmul_ternary_wide_i8_dot_i32 : ternaryKernel(kernels, form);
    kernel(at, cols, 0, rows, from, cols, record, ...last);
  }
}

console.log(`node ${process.version}, ${compiled.build} build`);
for (const kind of values.kinds.split(",")) {
  for (const [rows, cols] of shapes) {
    const bytes = (rows * cols) / 4;
    const matrices = Math.floor(weightBytes / bytes);
    for (const form of kind === "wide" ? ["i32"] : forms) {
      const speeds = [];
      for (const tokens of tokenCounts) {
        let matrix = 0;
        const run = () => {
          matrix = (matrix + 1) % matrices;
          const at = weights + matrix * bytes;
          multiply(kind, { at, form, rows, cols, tokens });
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
