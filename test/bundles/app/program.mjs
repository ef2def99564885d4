// A program that a bundler turns into one file: greedy text of a model, by the options in the environment.
import { loadModel } from "bitnet-wasm";

async function main() {
  const { MODEL = "", THREADS, WORKER_URL } = process.env;
  const model = await loadModel(MODEL, {
    ...(THREADS && { threads: Number(THREADS) }),
    ...(WORKER_URL && { workerUrl: WORKER_URL }),
  });
  const text = await model.complete("Once upon a time", { maxTokens: 24, temperature: 0 });
  console.log(JSON.stringify({ threads: model.info.threads, text }));
  await model.dispose();
}

main().catch((error) => {
  console.log(JSON.stringify({ code: error.code, message: error.message }));
  process.exitCode = 1;
});
