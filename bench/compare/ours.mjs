// This library as a side of the comparison, on whatever runtime runs this file.
import process from "node:process";
import { internalsOf } from "../../dist/language-model/internals.js";
import { loadModel } from "../../dist/language-model/load-model.js";
import { tokenBytes } from "../../dist/model/bytes-per-token.js";
import { measureReadBandwidth } from "../../dist/tools/benchmark/bandwidth.js";
import { timeFirstToken } from "../../dist/tools/benchmark/first-token.js";
import { promptIds, serveMeasurements } from "./messages.mjs";

const { path, threads, contextLength, choices } = JSON.parse(process.argv[2]);
const begin = performance.now();
const model = await loadModel(path, { threads, contextLength, engine: choices });
const loadMs = performance.now() - begin;
const afterLoadBytes = process.memoryUsage().rss;
const firstTokenMs = loadMs + (await timeFirstToken(model));
const { engine, tokenizer } = internalsOf(model);
const { layers, head } = tokenBytes(engine.model);

/** A text of exactly so many tokens, BOS included. */
function promptText(count) {
  let text = "the";
  while (model.tokenize(text).length < count) text += " the";
  return text;
}

const measures = {
  /** Milliseconds of a prompt evaluated at once. */
  async pp({ tokens }) {
    const session = engine.openSession(tokens);
    const start = performance.now();
    await session.evaluateInPlace(promptIds(tokens), { count: 1, always: [] }, undefined);
    const milliseconds = performance.now() - start;
    session.dispose();
    return milliseconds;
  },
  /** Milliseconds of so many greedy tokens, as users get them: text, sampling and stop rules included. */
  async tg({ tokens, position }) {
    const options = {
      temperature: 0,
      maxTokens: tokens + 1,
      // The gain of drafts depends on the text, and node-llama-cpp runs without them too.
      speculation: "off",
      logitBias: new Map([...tokenizer.endOfGenerationIds].map((id) => [id, -Infinity])),
    };
    const times = [];
    for await (const _ of model.generate(promptText(Math.max(position, 2)), options))
      times.push(performance.now());
    if (times.length !== tokens + 1) throw new Error(`ended after ${times.length} tokens`);
    return times.at(-1) - times[0];
  },
  /** Milliseconds from a short prompt to the first token. */
  first: () => timeFirstToken(model),
  /** Bytes in a second that these threads read when they do nothing else. */
  read: async () => (await measureReadBandwidth(engine, layers + head)).bytesPerSecond,
};

await serveMeasurements(
  {
    kernelBuild: model.info.kernelBuild,
    memoryBytes: model.info.memoryBytes,
    bytesPerToken: layers + head,
    loadMs,
    firstTokenMs,
    afterLoadBytes,
    version: globalThis.Deno
      ? `Deno ${Deno.version.deno}`
      : globalThis.Bun
        ? `Bun ${Bun.version}`
        : `Node.js ${process.versions.node}`,
    v8: process.versions.v8,
  },
  (order) => measures[order.kind](order),
  () => model.dispose(),
);
