// Runs on every runtime (scripts/runtimes.mjs). Prints this host's text and numbers, for comparison bit by
// bit. Both types of KV cache are in them.
import { createHash } from "node:crypto";
import { loadModel, perplexity } from "bitnet-wasm";

const ids = [];
const hash = createHash("sha256");
let kernelBuild;
for (const cacheType of ["f16", "int8"]) {
  const model = await loadModel(undefined, {
    threads: Number(process.argv[2] ?? 2),
    cacheType,
    engine: { kernelBuild: process.argv[3], dotForm: process.argv[4] },
  });
  kernelBuild = model.info.kernelBuild;
  for (const options of [
    { temperature: 0, maxTokens: 60 },
    { temperature: 1, seed: 42, maxTokens: 60 },
    { temperature: 0.7, topK: 0, topP: 0.9, minP: 0, seed: 7, repeatPenalty: 1.1, maxTokens: 60 },
  ]) {
    for await (const piece of model.generate("Once upon a time there was", options)) ids.push(piece.tokenId);
  }
  // More than a block of 128 positions.
  const text = "The little fox ran over the hill, and far away. ".repeat(14);
  const session = model.createSession();
  const logits = await session.evaluate(model.tokenize(text), { logits: "all" });
  session.dispose();
  const { perplexity: surprise } = await perplexity(model, text, { contextLength: 24 });
  hash.update(new Uint8Array(logits.buffer)).update(new Uint8Array(Float64Array.of(surprise).buffer));
  await model.dispose();
}
console.log(JSON.stringify({ kernelBuild, ids: ids.join(" "), bits: hash.digest("hex") }));
