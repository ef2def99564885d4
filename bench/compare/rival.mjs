import { readFileSync } from "node:fs";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { promptIds, serveMeasurements } from "./messages.mjs";

const [path, threads, contextLength] = process.argv.slice(2);
const begin = performance.now();
const llama = await getLlama({
  gpu: false,
  build: "never",
  logLevel: LlamaLogLevel.error,
  maxThreads: Number(threads),
});
const model = await llama.loadModel({ modelPath: path });
const context = await model.createContext({
  contextSize: Number(contextLength),
  batchSize: 512,
  threads: Number(threads),
});
const loadMs = performance.now() - begin;
const afterLoadBytes = process.memoryUsage().rss;
const sequence = context.getSequence();

async function measure({ kind, tokens, position }) {
  await sequence.clearHistory();
  if (position > 0) await sequence.evaluateWithoutGeneratingNewTokens(promptIds(position));
  const start = performance.now();
  if (kind === "pp") {
    await sequence.evaluateWithoutGeneratingNewTokens(promptIds(tokens));
    return performance.now() - start;
  }
  let count = 0;
  for await (const _ of sequence.evaluate([100], { temperature: 0, yieldEogToken: true })) {
    count += 1;
    if (count >= tokens) break;
  }
  if (count < tokens) throw new Error(`node-llama-cpp ended after ${count} tokens`);
  return performance.now() - start;
}

const { version } = JSON.parse(
  readFileSync(new URL("./node_modules/node-llama-cpp/package.json", import.meta.url), "utf8"),
);
serveMeasurements(
  {
    name: "node-llama-cpp",
    version,
    release: llama.llamaCppRelease?.release,
    loadMs,
    afterLoadBytes,
    system: llama.systemInfo,
  },
  measure,
  async () => {},
);
