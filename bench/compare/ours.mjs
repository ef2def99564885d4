import { loadModel } from "../../dist/index.js";
import { promptIds, serveMeasurements } from "./messages.mjs";

const [path, threads, contextLength, choices = "{}"] = process.argv.slice(2);
const begin = performance.now();
const model = await loadModel(path, {
  threads: Number(threads),
  contextLength: Number(contextLength),
  ...JSON.parse(choices),
});
const loadMs = performance.now() - begin;
const afterLoadBytes = process.memoryUsage().rss;

/** "pp": a prompt at once. "tg": so many greedy tokens one after another, the text and its sampling included. */
async function measure({ kind, tokens, position }) {
  const session = model.createSession({ contextLength: position + tokens + 1 });
  try {
    if (position > 0) await session.evaluate(promptIds(position));
    const start = performance.now();
    if (kind === "pp" || kind === "ttft") {
      await session.evaluate(promptIds(tokens));
      return performance.now() - start;
    }
    let next = 100;
    for (let i = 0; i < tokens; i += 1) {
      const logits = await session.evaluate([next]);
      next = 0;
      for (let id = 1; id < logits.length; id += 1) if (logits[id] > logits[next]) next = id;
    }
    return performance.now() - start;
  } finally {
    session.dispose();
  }
}

serveMeasurements(
  {
    name: "bitnet-wasm",
    kernelBuild: model.info.kernelBuild,
    memoryBytes: model.info.memoryBytes,
    loadMs,
    afterLoadBytes,
    runtime: globalThis.Deno
      ? `Deno ${Deno.version.deno}`
      : globalThis.Bun
        ? `Bun ${Bun.version}`
        : `Node.js ${process.version}`,
    v8: process.versions.v8,
  },
  measure,
  () => model.dispose(),
);
