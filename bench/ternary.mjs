// Speed of the ternary matmuls on the shapes of 2B4T, in 10⁹ weight·activation products per second, with
// weights larger than the cache, on one thread.
//
//   node bench/ternary.mjs [--tokens 1,4,16,64] [--forms i16,i32]
//   node --experimental-wasm-revectorize bench/ternary.mjs      in 256 bits, on V8 13.6 and later
import { parseArgs } from "node:util";
import { dotForms, ternaryGroupsKernel, ternaryKernel } from "../dist/wasm/dot-forms.js";
import { compileKernels, instantiateKernels } from "../dist/wasm/kernel-build.js";
import { groupScratchBytes, ternaryScratchBytes } from "../dist/wasm/kernels.js";
import { createMemories } from "../dist/wasm/memory.js";

const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "1,4,16,64" },
    forms: { type: "string" },
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
          if (kind === "rows")
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
