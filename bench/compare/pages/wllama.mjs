// wllama in a page, on the CPU. It reports the times itself.
import { LoggerWithoutDebug, Wllama } from "/wllama/index.js";

globalThis.start = async (file, { threads, contextLength }) => {
  const wllama = new Wllama(
    { default: new URL("/wllama/wasm/wllama.wasm", location.href).href },
    { logger: LoggerWithoutDebug, suppressNativeLog: true },
  );
  const begin = performance.now();
  await wllama.loadModel([file], {
    n_threads: threads,
    n_ctx: contextLength,
    n_gpu_layers: 0,
    n_parallel: 1,
  });
  const loadMs = performance.now() - begin;
  if (wllama.getNumThreads() !== threads) throw new Error(`wllama has ${wllama.getNumThreads()} threads`);

  async function complete(promptTokens, tokens) {
    const { timings } = await wllama.createCompletion({
      prompt: " the".repeat(promptTokens),
      max_tokens: tokens,
      temperature: 0,
      cache_prompt: false,
      ignore_eos: true,
    });
    if (timings === undefined || timings.predicted_n < tokens)
      throw new Error(`wllama ended after ${timings?.predicted_n} tokens`);
    return timings;
  }

  const measures = {
    async pp({ tokens }) {
      const { prompt_ms: milliseconds, prompt_n: count } = await complete(tokens, 1);
      return (milliseconds / count) * tokens;
    },
    async tg({ tokens, position }) {
      const { predicted_ms: milliseconds, predicted_n: count } = await complete(
        Math.max(position, 2),
        tokens,
      );
      return (milliseconds / count) * tokens;
    },
    async first() {
      const begin = performance.now();
      await complete(4, 1);
      return performance.now() - begin;
    },
  };
  globalThis.measure = (order) => measures[order.kind](order);
  return { loadMs, firstTokenMs: loadMs + (await measures.first()) };
};
