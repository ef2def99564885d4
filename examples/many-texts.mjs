// Several texts at the same time, as a server writes them: each pass over the weights serves all.
import { loadModel } from "bitnet-wasm";

const model = await loadModel();
const scheduler = model.createScheduler({ parallel: 3 });

async function write(prompt) {
  let text = prompt;
  for await (const piece of scheduler.generate(prompt, { maxTokens: 24, temperature: 0.7, seed: 1 }))
    text += piece.text;
  return text;
}

for (const text of await Promise.all(["The king", "The little fox", "In the deep sea"].map(write))) {
  console.log(`${text} …\n`);
}
const { passes, generatedTokens } = scheduler.stats;
console.log(`${generatedTokens} tokens in ${passes} passes`);
await scheduler.dispose();
await model.dispose();
