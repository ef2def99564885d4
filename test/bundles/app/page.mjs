// A page's program: greedy text of a Blob and of a URL, twice. Its result is `globalThis.result`.
import { loadModel } from "bitnet-wasm";

async function complete(source, options) {
  // Set by pages whose bundler does not find the script of workers.
  const { workerUrl } = globalThis;
  const model = await loadModel(source, { ...(workerUrl && { workerUrl }), ...options });
  const text = await model.complete("Once upon a time", { maxTokens: 24, temperature: 0 });
  const { threads, kernelBuild } = model.info;
  const tokensPerSecond = await speedOf(model);
  await model.dispose();
  return { text, threads, kernelBuild, tokensPerSecond };
}

async function speedOf(model) {
  let tokens = 0;
  const begun = performance.now();
  for await (const piece of model.generate("Once upon a time", { maxTokens: 200, seed: 1 }))
    if (piece.text !== undefined) tokens += 1;
  return tokens / ((performance.now() - begun) / 1000);
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
