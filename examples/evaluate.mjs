// How well the embedded model predicts two texts, and which ending of a sentence it finds likelier.
import { evaluateTask, loadModel, perplexity } from "bitnet-wasm";

const model = await loadModel();

const texts = {
  "an old story": "The king had a daughter, and she was so fair that the sun himself wondered at her. ",
  "a manual": "Tighten both screws until the bracket is level, then reconnect the power cable. ",
};
for (const [name, text] of Object.entries(texts)) {
  // A text must be two chunks long.
  const result = await perplexity(model, text.repeat(8), { contextLength: 32 });
  console.log(`${name}: ${result.perplexity.toFixed(1)} ± ${result.uncertainty.toFixed(1)}`);
}

// A task made by hand. readTask(text) reads a published benchmark.
const context = "Once upon a time there was a";
const choices = ["king", "carburettor"].map((text) => ({ context, continuation: ` ${text}`, text }));
const task = {
  name: "stories",
  metrics: ["acc"],
  questions: [{ kind: "choice", choices, answer: 0, solved: `${context} king` }],
};
const { metrics } = await evaluateTask(model, task, {
  onProgress: (_, { logLikelihoods }) =>
    choices.forEach(({ text }, i) => console.log(`${text}: ln p = ${logLikelihoods[i].toFixed(2)}`)),
});
console.log(`right: ${metrics[0].value * 100} %`);

await model.dispose();
