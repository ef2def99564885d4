/**
 * The time of attention for one token on one thread, in microseconds: a group of four heads of 128 over 2000
 * positions, from a hot cache and from memory. Compiled like in the engine, and 256 bits wide if V8 can.
 *
 *   node bench/attention.mjs
 */
import { hasRevectorizer, withRevectorizer } from "#dist/platform/engine-flags.js";
import { compileCopy, compileKernels, instantiateKernels } from "#dist/wasm/kernel-build.js";
import { cacheFormat } from "#dist/model/cache-format.js";
import { int8Attention } from "#dist/wasm/cache-types.js";
import { attentionPositions, attentionScratchBytes } from "#dist/wasm/kernels.js";
import { createMemories } from "#dist/wasm/memory.js";

const [headSize, heads, positions] = [128, 4, 2000];
/** Layers whose keys and values are walked in turn: 3 MB, or 100 MB as halves, which no cache here holds. */
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

const cachePositions = attentionPositions(positions);
/** Keys and values of int8, rounded from random numbers. */
function int8Layers(kernels) {
  const format = cacheFormat("int8", { headSize });
  const row = take(headSize * 4);
  const made = Array.from({ length: places["from memory"] }, () =>
    ["keys", "values"].map((which) => {
      const address = take(cachePositions * format[which].bytes);
      const store = which === "keys" ? kernels.store_keys_int8 : kernels.store_values_int8;
      for (let position = 0; position < positions; position += 1) {
        new Float32Array(memory.buffer, row, headSize).forEach(
          (_, i, all) => (all[i] = Math.sin(i * 7919 + position * 104729)),
        );
        store(row, 1, 0, 0, 1, headSize, address, 0, cachePositions, position);
      }
      return address;
    }),
  );
  return made;
}

/** One call over a layer's halves, or over its int8 in a form. */
function attend(kernels, form, [keys, values]) {
  const operands = [query, rowBytes, keys, values];
  const shape = [headSize, heads, positions - 1, 1, positions, 0.088, scratch, scratchPositions];
  if (form === undefined) kernels.attention(...operands, ...shape, output, rowBytes);
  else int8Attention(kernels, form)(...operands, cachePositions, ...shape, output, rowBytes);
}

function microseconds(kernels, form, all, layerCount, first) {
  const calls = 40;
  const begin = performance.now();
  for (let i = 0; i < calls; i += 1) {
    attend(kernels, form, all[(first + i) % layerCount]);
  }
  return ((performance.now() - begin) * 1000) / calls;
}

function measure(name, kernels, form, all = layers) {
  for (const [place, layerCount] of Object.entries(places)) {
    const times = Array.from({ length: rounds }, (_, round) =>
      microseconds(kernels, form, all, layerCount, round * 17),
    )
      .slice(rounds / 3)
      .sort((a, b) => a - b);
    const [least, middle] = [times[0], times[times.length >> 1]];
    console.log(`${name}, ${place}: ${middle.toFixed(1)} µs, at least ${least.toFixed(1)}`);
  }
}

console.log(`${process.release.name} ${process.version}, ${compiled.build} build`);
const plain = instantiateKernels(compiled.module, memory);
const rounded = int8Layers(plain);
const forms = compiled.build === "relaxed" ? ["i8", "i32"] : ["i8"];
const measureAll = (name, kernels) => {
  measure(`${name}, f16`, kernels);
  for (const form of forms) measure(`${name}, int8 in form ${form}`, kernels, form, rounded);
};
measureAll("as compiled", plain);
if (hasRevectorizer())
  withRevectorizer(() => measureAll("256 bits wide", instantiateKernels(compileCopy(compiled), memory)));
else console.log("this engine has no revectorizer");
