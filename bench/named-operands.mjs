/**
 * Nanoseconds of a kernel call with thirteen numbers in order, and with an object that names them: made for
 * each call, or kept and changed. The matmul is of one token and four rows of 128 columns, so that the call
 * counts.
 *
 *   node bench/named-operands.mjs
 */
import { compileKernels, instantiateKernels } from "#dist/wasm/kernel-build.js";
import { ternaryScratchBytes } from "#dist/wasm/kernels.js";
import { createMemories } from "#dist/wasm/memory.js";

const calls = 1_000_000;
const rounds = 15;
const cols = 128;

const compiled = await compileKernels();
const memories = createMemories();
const { memory } = memories.addRegion();
const kernels = instantiateKernels(compiled.module, memory);
const take = (bytes) => memories.allocate(0, bytes, "the benchmark");
// Two of each, so that no operand is a constant to the engine.
const [weights, x, records, y] = [cols, cols, 16, 32].map((bytes) => [take(bytes), take(bytes)]);
const scratch = take(ternaryScratchBytes);

function multiply(operands) {
  // prettier-ignore
  kernels.matmul_ternary_i8_dot_i8(
    operands.weights, operands.cols, operands.rowBegin, operands.rowEnd, operands.x, operands.xStride, operands.records,
    operands.tokens, operands.y, operands.yStride, operands.scratch, operands.scale, operands.accumulate,
  );
}

const kept = {
  weights: 0,
  cols,
  rowBegin: 0,
  rowEnd: 4,
  x: 0,
  xStride: cols,
  records: 0,
  tokens: 1,
  y: 0,
  yStride: 16,
  scratch,
  scale: 0.5,
  accumulate: 0,
};
const ways = {
  "in order": (i) =>
    kernels.matmul_ternary_i8_dot_i8(
      weights[i],
      cols,
      0,
      4,
      x[i],
      cols,
      records[i],
      1,
      y[i],
      16,
      scratch,
      0.5,
      0,
    ),
  "an object per call": (i) =>
    multiply({
      weights: weights[i],
      cols,
      rowBegin: 0,
      rowEnd: 4,
      x: x[i],
      xStride: cols,
      records: records[i],
      tokens: 1,
      y: y[i],
      yStride: 16,
      scratch,
      scale: 0.5,
      accumulate: 0,
    }),
  "an object that is kept": (i) => {
    kept.weights = weights[i];
    kept.x = x[i];
    kept.records = records[i];
    kept.y = y[i];
    multiply(kept);
  },
};

const best = Object.fromEntries(Object.keys(ways).map((name) => [name, Infinity]));
for (let round = 0; round < rounds; round += 1) {
  for (const [name, call] of Object.entries(ways)) {
    const begin = performance.now();
    for (let i = 0; i < calls; i += 1) call(i & 1);
    best[name] = Math.min(best[name], ((performance.now() - begin) / calls) * 1e6);
  }
}
for (const [name, nanoseconds] of Object.entries(best))
  console.log(`${name.padEnd(24)} ${nanoseconds.toFixed(1)} ns`);
