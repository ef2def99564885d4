// The gain of speculation: greedy text with and without it, alternately in one process. The tokens must be
// equal.
//   node bench/speculation.mjs [model.gguf] [threads] [tokens] [rounds]
import { loadModel } from "../dist/index.js";

const [path, threads, tokens = "200", rounds = "9"] = process.argv.slice(2);
const modes = ["off", "auto", "prompt-lookup"];
const prompts = {
  repetitive: 'The king said, "Go to the mill." '.repeat(3).trimEnd(),
  story: "The little fox",
};
/**
 * Greedy decoding by itself soon repeats; a penalty makes texts that do not, the worst case for speculation.
 */
const penalties = [1, 1.2];

const model = await loadModel(path, threads === undefined ? {} : { threads: Number(threads) });
const ends = ["<|end_of_text|>", "<|eot_id|>"].flatMap((name) =>
  model.tokenize(name, { addSpecial: false, parseSpecial: true }),
);

/** Tokens per second after the first, the ids, and the results of drafts. */
async function write(prompt, repeatPenalty, speculation) {
  let counts;
  const onSpeculation = (found) => (counts = found);
  const options = { temperature: 0, maxTokens: Number(tokens), repeatPenalty, speculation, onSpeculation };
  const ids = [];
  let first;
  let last;
  const logitBias = new Map(ends.map((id) => [id, -Infinity]));
  for await (const piece of model.generate(prompt, { ...options, logitBias })) {
    last = performance.now();
    first ??= last;
    ids.push(piece.tokenId);
  }
  return { speed: ((ids.length - 1) * 1000) / (last - first), ids: ids.join(), counts };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

console.log(
  `${model.info.name}, ${model.info.threads} threads, ${tokens} tokens, ${rounds} rounds, ${process.version}`,
);
for (const [name, prompt] of Object.entries(prompts)) {
  for (const penalty of penalties) {
    const runs = Object.fromEntries(modes.map((mode) => [mode, []]));
    for (let round = 0; round < Number(rounds); round += 1)
      for (const mode of modes) runs[mode].push(await write(prompt, penalty, mode));
    if (new Set(Object.values(runs).flatMap((all) => all.map(({ ids }) => ids))).size !== 1)
      throw new Error("speculation changed the text");
    const ratio = (mode) =>
      median(runs[mode].map(({ speed }, round) => speed / runs.off[round].speed)).toFixed(2);
    const counts = (mode) => {
      const { acceptedTokens = 0, draftedTokens = 0 } = runs[mode].at(-1).counts ?? {};
      return `${acceptedTokens} of ${draftedTokens}`;
    };
    console.log(
      `${name}, repeat penalty ${penalty}: plain ${median(runs.off.map(({ speed }) => speed)).toFixed(1)} tokens/s` +
        modes
          .slice(1)
          .map((mode) => `; ${mode} × ${ratio(mode)}, accepted ${counts(mode)}`)
          .join(""),
    );
  }
}
await model.dispose();
