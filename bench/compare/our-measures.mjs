// The measurements of this library, for any runtime and for pages.
import { timeFirstToken } from "../../dist/tools/benchmark/first-token.js";
import { measureReadBandwidth } from "../../dist/tools/benchmark/bandwidth.js";
import { tokenBytes } from "../../dist/model/bytes-per-token.js";
import { internalsOf } from "../../dist/language-model/internals.js";
import { promptIds } from "./prompt-ids.mjs";

/** @param model a model of `loadModel` */
export function measuresOf(model) {
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
  const facts = {
    kernelBuild: model.info.kernelBuild,
    memoryBytes: model.info.memoryBytes,
    bytesPerToken: layers + head,
  };
  return { facts, measure: (order) => measures[order.kind](order) };
}
