/**
 * The time of attention for one token on one thread, in microseconds: a group of four heads of 128 over 2000
 * positions, from a hot cache and from memory. Compiled like in the engine, and 256 bits wide if V8 can.
 *
 *   node bench/attention.mjs
 */
import { hasRevectorizer, withRevectorizer } from "#dist/platform/engine-flags.js";
import { compileCopy, compileKernels, instantiateKernels } from "#dist/wasm/kernel-build.js";
import { attentionPositions, attentionScratchBytes } from "#dist/wasm/kernels.js";
import { createMemories } from "#dist/wasm/memory.js";

const [headSize, heads, positions] = [128, 4, 2000];
/** Layers whose keys and values are walked in turn: 3 MB, or 100 MB, which no cache here holds. */
const places = { hot: 3, "from memory": 100 };
const rounds = 30;

const compiled = await compileKernels();
const memories = createMemories();
const { memory } = memories.addRegion();
const take = (bytes) => memories.allocate(0, bytes, "the benchmark");
const cacheBytes = positions * headSize * 2;
const rowBytes = heads * headSize * 4;
const [query, output] = [take(rowBytes), take(rowBytes)];
const scratchPositions = attentionPositions(positions);
const scratch = take(attentionScratchBytes(headSize, scratchPositions));
const layers = Array.from({ length: places["from memory"] }, () => [take(cacheBytes), take(cacheBytes)]);
new Float32Array(memory.buffer, query, heads * headSize).forEach((_, i, all) => (all[i] = Math.sin(i)));
for (const address of layers.flat()) {
  // Halves of 0.5 to 2, of either sign.
  new Uint16Array(memory.buffer, address, cacheBytes / 2).forEach(
    (_, i, all) => (all[i] = 0x3800 + ((i * 7919) % 0x800) + (i % 3 === 0 ? 0x8000 : 0)),
  );
}

function microseconds(kernels, layerCount, first) {
  const calls = 40;
  const begin = performance.now();
  for (let i = 0; i < calls; i += 1) {
    const [keys, values] = layers[(first + i) % layerCount];
    // prettier-ignore
    kernels.attention(
      query, rowBytes, keys, values, headSize, heads, positions - 1, 1, positions, 0.088, scratch, scratchPositions,
      output, rowBytes,
    );
  }
  return ((performance.now() - begin) * 1000) / calls;
}

function measure(name, kernels) {
  for (const [place, layerCount] of Object.entries(places)) {
    const times = Array.from({ length: rounds }, (_, round) => microseconds(kernels, layerCount, round * 17))
      .slice(rounds / 3)
      .sort((a, b) => a - b);
    const [least, middle] = [times[0], times[times.length >> 1]];
    console.log(`${name}, ${place}: ${middle.toFixed(1)} µs, at least ${least.toFixed(1)}`);
  }
}

console.log(`${process.release.name} ${process.version}, ${compiled.build} build`);
measure("as compiled", instantiateKernels(compiled.module, memory));
if (hasRevectorizer())
  withRevectorizer(() => measure("256 bits wide", instantiateKernels(compileCopy(compiled), memory)));
else console.log("this engine has no revectorizer");
