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

/** A text of exactly so many tokens, BOS included. */
function promptText(count) {
  let text = "the";
  while (model.tokenize(text).length < count) text += " the";
  return text;
}

/** "pp": a prompt at once. "tg": so many greedy tokens, as users get them: text, sampling and stop rules included. */
async function measure({ kind, tokens, position }) {
  if (kind === "pp") {
    const session = model.createSession({ contextLength: tokens });
    const start = performance.now();
    await session.evaluateInPlace(promptIds(tokens), { count: 1, always: [] }, undefined);
    const milliseconds = performance.now() - start;
    session.dispose();
    return milliseconds;
  }
  const ends = ["<|end_of_text|>", "<|eot_id|>"].flatMap((name) =>
    model.tokenize(name, { addSpecial: false, parseSpecial: true }),
  );
  const options = {
    temperature: 0,
    maxTokens: tokens + 1,
    // The rival does not speculate, and a random model's text may repeat itself.
    speculation: "off",
    logitBias: new Map(ends.map((id) => [id, -Infinity])),
  };
  const times = [];
  for await (const _ of model.generate(promptText(Math.max(position, 2)), options))
    times.push(performance.now());
  if (times.length !== tokens + 1) throw new Error(`ended after ${times.length} tokens`);
  return times.at(-1) - times[0];
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
