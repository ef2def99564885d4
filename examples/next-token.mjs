// A session by hand: the five likeliest next words, and how likely the model finds each.
import { loadModel } from "bitnet-wasm";

const model = await loadModel(undefined, { threads: 1 });
const session = model.createSession({ contextLength: 64 });
const logits = await session.evaluate(model.tokenize("The king and the"));

const largest = Math.max(...logits);
const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
const best = [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0)).slice(0, 5);
for (const id of best) {
  const probability = Math.exp((logits[id] ?? 0) - largest) / total;
  console.log(`${(100 * probability).toFixed(1).padStart(5)} %  ${JSON.stringify(model.detokenize([id]))}`);
}

session.dispose();
await model.dispose();
