// A program that a bundler turns into one file: greedy text of a model, by the options in the environment.
import { loadModel } from "bitnet-wasm";

async function speedOf(model) {
  let tokens = 0;
  const begun = performance.now();
  for await (const piece of model.generate("Once upon a time", { maxTokens: 200, seed: 1 }))
    if (piece.text !== undefined) tokens += 1;
  return tokens / ((performance.now() - begun) / 1000);
}

async function main() {
  const { MODEL = "", THREADS, WORKER_URL, SPEED } = process.env;
  const model = await loadModel(MODEL, {
    ...(THREADS && { threads: Number(THREADS) }),
    ...(WORKER_URL && { workerUrl: WORKER_URL }),
  });
  const text = await model.complete("Once upon a time", { maxTokens: 24, temperature: 0 });
  const tokensPerSecond = SPEED && (await speedOf(model));
  console.log(JSON.stringify({ threads: model.info.threads, text, tokensPerSecond }));
  await model.dispose();
}

main().catch((error) => {
  console.log(JSON.stringify({ code: error.code, message: error.message }));
  process.exitCode = 1;
});
