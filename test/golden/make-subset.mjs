// Makes the committed part of the golden data from the complete data:
// node test/golden/make-subset.mjs <folder of the complete data>
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openModelFile } from "#dist/files/index.js";
import { writableMetadata, writeGguf } from "#dist/files/gguf-writer.js";
import { createFileSink } from "#dist/platform/node-file-sink.js";
import { openFileSource } from "#dist/platform/node-file-source.js";

const [source] = process.argv.slice(2);
const target = fileURLToPath(new URL(".", import.meta.url));
/** The number of tokens kept of the dumped prompt. They are the first ones, since attention looks back. */
const tokens = 4;

function cutIntermediates(model, keep) {
  const list = JSON.parse(readFileSync(`${source}/${model}/intermediates.json`, "utf8"));
  const data = readFileSync(`${source}/${model}/intermediates.f32`);
  const chunks = [];
  const entries = [];
  let offset = 0;
  for (const entry of list.filter(keep)) {
    const [cols, ...rest] = entry.ne;
    // Rotated heads are [head, heads, tokens], everything else [columns, tokens, heads].
    const tokenAxis = entry.op === "ROPE" ? 1 : 0;
    const [second, third] = rest;
    const ne = [cols, ...(tokenAxis === 1 ? [second, tokens] : [tokens, third]), 1];
    for (let outer = 0; outer < ne[2]; outer += 1) {
      const begin = entry.offset + outer * cols * second * 4;
      chunks.push(data.subarray(begin, begin + cols * ne[1] * 4));
    }
    entries.push({ ...entry, ne, offset });
    offset += ne[0] * ne[1] * ne[2] * 4;
  }
  mkdirSync(`${target}/${model}`, { recursive: true });
  writeFileSync(`${target}/${model}/intermediates.f32`, Buffer.concat(chunks));
  const lines = entries.map((entry) => ` ${JSON.stringify(entry)}`).join(",\n");
  writeFileSync(`${target}/${model}/intermediates.json`, `[\n${lines}\n]\n`);
}

/** The metadata without the tokenizer, and some of the tensors. */
async function cutModel(model, keep) {
  const bytes = await openFileSource(`${source}/${model}/model.gguf`);
  const file = await openModelFile(bytes);
  const metadata = new Map([...writableMetadata(file)].filter(([key]) => !key.startsWith("tokenizer.")));
  const tensors = [...file.tensors.values()].filter(({ name }) => keep(name));
  const sink = await createFileSink(`${target}/${model}/model.gguf`);
  await writeGguf(sink, { metadata, tensors }, async (write) => {
    for (const { name, offset, bytes: length } of tensors)
      await write(name, await bytes.read(offset, length));
  });
  await bytes.close();
}

mkdirSync(`${target}/storyteller`, { recursive: true });
for (const file of ["golden.json", "logits.f32"])
  copyFileSync(`${source}/storyteller/${file}`, `${target}/storyteller/${file}`);

// One whole block with its weights: halves, squared relu, sub-norms.
cutIntermediates("tiny-bitnet-b1.58-i2_s", ({ name }) => name === "inp_embd" || name.endsWith("-0"));
await cutModel("tiny-bitnet-b1.58-i2_s", (name) => name.startsWith("blk.0."));

// The parts that the other model lacks: adjacent pairs and SiLU. Activations only. The one tensor keeps the
// file from being empty.
const wanted = /^(Qcur|Kcur|Vcur|kq|kq_soft_max_ext|kqv|kqv_merged_cont|ffn_gate|ffn_up|ffn_gate_par)-0$/;
cutIntermediates("tiny-llama-i2_s", ({ name }) => wanted.test(name));
await cutModel("tiny-llama-i2_s", (name) => name === "output_norm.weight");
