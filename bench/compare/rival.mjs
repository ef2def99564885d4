// node-llama-cpp as a side of the comparison, on the CPU, with its prebuilt binaries.
import process from "node:process";
import { firstTokenPrompt } from "../../dist/tools/benchmark/first-token.js";
import { llamaCppVersion } from "../../scripts/llama-cpp.mjs";
import { serveMeasurements } from "./messages.mjs";
import { promptIds } from "./prompt-ids.mjs";

const { path, threads, contextLength, llamaCppUrl } = JSON.parse(process.argv[2]);
const { getLlama, LlamaLogLevel } = await import(llamaCppUrl);
const begin = performance.now();
const llama = await getLlama({
  gpu: false,
  build: "never",
  logLevel: LlamaLogLevel.error,
  maxThreads: threads,
});
const model = await llama.loadModel({ modelPath: path });
const context = await model.createContext({ contextSize: contextLength, batchSize: 512, threads });
const loadMs = performance.now() - begin;
const afterLoadBytes = process.memoryUsage().rss;
const sequence = context.getSequence();

const measures = {
  async pp({ tokens }) {
    await sequence.clearHistory();
    const start = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(promptIds(tokens));
    return performance.now() - start;
  },
  async tg({ tokens, position }) {
    await sequence.clearHistory();
    if (position > 0) await sequence.evaluateWithoutGeneratingNewTokens(promptIds(position));
    const start = performance.now();
    let count = 0;
    for await (const _ of sequence.evaluate([100], { temperature: 0, yieldEogToken: true })) {
      count += 1;
      if (count >= tokens) break;
    }
    if (count < tokens) throw new Error(`node-llama-cpp ended after ${count} tokens`);
    return performance.now() - start;
  },
  async first() {
    await sequence.clearHistory();
    const start = performance.now();
    const ids = model.tokenize(firstTokenPrompt);
    for await (const id of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) {
      model.detokenize([id]);
      break;
    }
    return performance.now() - start;
  },
};

const firstTokenMs = loadMs + (await measures.first());
await serveMeasurements(
  {
    version: `node-llama-cpp ${llamaCppVersion}`,
    release: llama.llamaCppRelease?.release,
    loadMs,
    firstTokenMs,
    afterLoadBytes,
    system: llama.systemInfo,
  },
  (order) => measures[order.kind](order),
  async () => {},
);
