// A page's program: greedy text of a Blob and of a URL, twice. Its result is `globalThis.result`.
import { loadModel } from "bitnet-wasm";

async function complete(source, options) {
  const model = await loadModel(source, options);
  const text = await model.complete("Once upon a time", { maxTokens: 24, temperature: 0 });
  const { threads, kernelBuild } = model.info;
  await model.dispose();
  return { text, threads, kernelBuild };
}

async function main() {
  const url = new URL("/model.gguf", location.href).href;
  const blob = await (await fetch(url)).blob();
  const progress = [];
  return {
    blob: await complete(blob),
    one: await complete(blob, { threads: 1 }),
    url: await complete(url, { onProgress: ({ stage }) => progress.push(stage) }),
    stages: [...new Set(progress)],
    again: await complete(url),
    path: await complete("model.gguf").catch(({ code, message }) => ({ code, message })),
    embedded: await complete(undefined).catch(({ code }) => ({ code })),
  };
}

main().then(
  (result) => (globalThis.result = result),
  (error) => (globalThis.result = { error: String(error?.stack ?? error) }),
);
