// Speed of the affine matmuls from the cache, in 10⁹ weight·activation products per second.
//
//   node bench/affine.mjs
//   node --experimental-wasm-revectorize bench/affine.mjs      in 256 bits, on V8 13.6 and later
import { affineKinds, affineRowBytes } from "../dist/wasm/affine-kinds.js";
import { affineKernel, dotForms } from "../dist/wasm/dot-forms.js";
import { compileKernels, instantiateKernels } from "../dist/wasm/kernel-build.js";
import { affineScratchBytes } from "../dist/wasm/kernels.js";
import { createMemories } from "../dist/wasm/memory.js";

const [rows, cols, maxTokens] = [1536, 576, 64];
const compiled = await compileKernels();
const memories = createMemories(64 << 20);
const { index: region, memory } = memories.addRegion();
const kernels = instantiateKernels(compiled.module, memory);
const take = (bytes) => memories.allocate(region, bytes, "the benchmark");
const x = take(maxTokens * cols);
const records = take(maxTokens * cols);
const y = take(maxTokens * rows * 4);
const scratch = take(affineScratchBytes);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

console.log(`node ${process.version}, ${compiled.build} build`);
for (const kind of affineKinds) {
  const weights = take(rows * affineRowBytes(kind, cols));
  for (const form of compiled.build === "relaxed" ? dotForms : ["i8"]) {
    const speeds = [];
    for (const tokens of [1, maxTokens]) {
      const run = () =>
        affineKernel(kernels, form, kind.name)(
          weights,
          cols,
          0,
          rows,
          x,
          records,
          tokens,
          y,
          rows * 4,
          scratch,
          1,
          0,
        );
      // The engine optimises the kernel meanwhile.
      for (let i = 0; i < 256 / tokens + 8; i += 1) run();
      await pause(300);
      let best = Infinity;
      for (let i = 0; i < 30; i += 1) {
        const begin = performance.now();
        run();
        best = Math.min(best, performance.now() - begin);
      }
      speeds.push(`${tokens} tokens ${((rows * cols * tokens) / best / 1e6).toFixed(1)}`);
    }
    console.log(`${kind.name}, form ${form}: ${speeds.join(", ")}`);
  }
  memories.free(region, weights);
}
