// A page's program: greedy text of a Blob and of a URL, twice; of a model in a worker. It posts its result.
import { createWorkerModel, loadModel } from "bitnet-wasm";

const greedy = { maxTokens: 24, temperature: 0 };
const prompt = "Once upon a time";

async function complete(source, options) {
  // Set by pages whose bundler does not find the script of workers.
  const { workerUrl } = globalThis;
  const model = await loadModel(source, { ...(workerUrl && { workerUrl }), ...options });
  const text = await model.complete(prompt, greedy);
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

/** Counts tasks of the page that took 50 ms and more, where the browser says so. */
async function countLongTasks(action) {
  if (!PerformanceObserver.supportedEntryTypes.includes("longtask")) return { value: await action() };
  let longTasks = 0;
  const observer = new PerformanceObserver((list) => (longTasks += list.getEntries().length));
  observer.observe({ type: "longtask" });
  const value = await action();
  // The observer is called in a later task.
  await new Promise((resolve) => setTimeout(resolve, 100));
  observer.disconnect();
  return { value, longTasks };
}

/** A prompt whose passes take far more than 50 ms. */
const longPrompt = "The fox and the king went to the old house by the sea. ".repeat(14);

async function inWorker(blob) {
  const progress = [];
  const { workerUrl } = globalThis;
  const model = await createWorkerModel(blob, {
    ...(workerUrl && { workerUrl }),
    onProgress: ({ stage }) => progress.push(stage),
  });
  const { value, longTasks } = await countLongTasks(async () => {
    const ids = [];
    for await (const { tokenId } of model.generate(prompt, greedy)) ids.push(tokenId);
    await model.complete(longPrompt, { maxTokens: 4 });
    return ids;
  });
  const error = await model.complete(prompt, { maxTokns: 3 }).catch(({ name, code }) => ({ name, code }));
  const controller = new AbortController();
  let pieces = 0;
  for await (const { finishReason } of model.generate(prompt, { signal: controller.signal })) {
    pieces += 1;
    if (pieces === 3) controller.abort();
    if (finishReason === "abort") break;
  }
  const { threads } = model.info;
  await model.dispose();
  return { ids: value, longTasks, error, pieces, threads, stages: [...new Set(progress)] };
}

/** Shows that long tasks are seen: the page does nothing else for 100 ms. */
async function busyPage() {
  const { longTasks } = await countLongTasks(async () => {
    // A task of its own, not one of the browser's start.
    await new Promise((resolve) => setTimeout(resolve));
    for (const begun = performance.now(); performance.now() - begun < 100;);
  });
  return longTasks;
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
    inWorker: await inWorker(blob),
    busyPage: { longTasks: await busyPage() },
  };
}

main()
  .catch((error) => ({ error: `${error}\n${error?.stack}` }))
  .then((result) => fetch("/result", { method: "POST", body: JSON.stringify(result) }));
