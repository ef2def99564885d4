/**
 * How long the header of a large model takes to read: 128256 tokens and 280147 merges, as BitNet b1.58 2B4T
 * has them, by our reader and by @huggingface/gguf.
 *
 *   node bench/gguf-header.mjs [repetitions]
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { gguf } from "@huggingface/gguf";
import { encodeGgufHeader } from "#dist/files/gguf-header.js";
import { openGguf } from "#dist/files/gguf.js";
import { openFileSource } from "#dist/platform/node.js";

const TOKENS = 128_256;
const MERGES = 280_147;
const repetitions = Number(process.argv[2] ?? 9);

/** Words of the lengths that trained vocabularies have: half with a leading space, some beyond ASCII. */
function words(count, seed) {
  let state = seed;
  const next = (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  return Array.from({ length: count }, () => {
    const letters = Array.from({ length: 2 + next(9) }, () =>
      next(30) === 0 ? "é" : String.fromCharCode(97 + next(26)),
    );
    return (next(2) ? "Ġ" : "") + letters.join("");
  });
}

const tokens = words(TOKENS, 1);
const left = words(MERGES, 2);
const right = words(MERGES, 3);
const { bytes } = encodeGgufHeader({
  metadata: new Map([
    ["general.architecture", { type: "string", value: "bitnet-b1.58" }],
    ["tokenizer.ggml.tokens", { type: "string[]", value: tokens }],
    ["tokenizer.ggml.scores", { type: "float32[]", value: new Float32Array(TOKENS) }],
    ["tokenizer.ggml.token_type", { type: "int32[]", value: new Int32Array(TOKENS).fill(1) }],
    ["tokenizer.ggml.merges", { type: "string[]", value: left.map((word, i) => `${word} ${right[i]}`) }],
  ]),
  tensors: [],
});
const folder = await mkdtemp(join(tmpdir(), "gguf-header-"));
const path = join(folder, "header.gguf");
// The reader of comparison asks for a tail beyond the header.
await writeFile(path, Buffer.concat([bytes, new Uint8Array(2 ** 20)]));

const readers = {
  async openGguf() {
    const source = await openFileSource(path);
    const file = await openGguf(source);
    await source.close();
    return file.metadata.get("tokenizer.ggml.merges").length;
  },
  async "@huggingface/gguf"() {
    const file = await gguf(path, { allowLocalFile: true });
    return file.metadata["tokenizer.ggml.merges"].length;
  },
};

console.log(
  `${(bytes.length / 1e6).toFixed(1)} MB header, ${process.version}, ${cpus()[0]?.model}, ${availableParallelism()} CPUs`,
);
for (const [name, read] of Object.entries(readers)) {
  const times = [];
  for (let run = 0; run < repetitions; run += 1) {
    const start = performance.now();
    if ((await read()) !== MERGES) throw new Error(`${name} read another number of merges`);
    times.push(performance.now() - start);
  }
  const sorted = times.toSorted((a, b) => a - b);
  const [first, median] = [times[0], sorted[Math.floor(repetitions / 2)]];
  console.log(
    `${name.padEnd(18)} first ${first.toFixed(0)} ms, median ${median.toFixed(0)} ms, ` +
      `range ${sorted[0].toFixed(0)}–${sorted.at(-1).toFixed(0)} ms`,
  );
}
await rm(folder, { recursive: true });
