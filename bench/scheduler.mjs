// The gain of batching: as many texts at a time as a scheduler has slots, against one after another. Also how
// long other texts wait for a token during the prefill of a long prompt. The texts must be equal.
//   node bench/scheduler.mjs [model.gguf] [threads] [tokens] [rounds]
import { loadModel } from "../dist/index.js";

const [path, threads, tokens = "64", rounds = "5"] = process.argv.slice(2);
const model = await loadModel(path, threads === undefined ? {} : { threads: Number(threads) });
const ends = ["<|end_of_text|>", "<|eot_id|>"].flatMap((name) =>
  model.tokenize(name, { addSpecial: false, parseSpecial: true }),
);
const options = {
  maxTokens: Number(tokens),
  seed: 1,
  speculation: "off",
  logitBias: new Map(ends.map((id) => [id, -Infinity])),
};
const beginnings = [
  "The king",
  "A fox",
  "Once upon a time",
  "In the wood",
  "The old miller",
  "Far away",
  "Little Jack",
  "One day",
];

async function read(pieces, onPiece = () => undefined) {
  let text = "";
  for await (const piece of pieces) {
    text += piece.text;
    onPiece();
  }
  return text;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const show = (value) => value.toFixed(value < 10 ? 2 : 1);

console.log(
  `${model.info.name}, ${model.info.threads} threads, ${tokens} tokens a text, ${rounds} rounds, ${process.version}`,
);
for (const parallel of [1, 2, 4, 8]) {
  const prompts = beginnings.slice(0, parallel);
  const scheduler = model.createScheduler({ parallel });
  const ratios = [];
  const speeds = [];
  for (let round = 0; round < Number(rounds); round += 1) {
    let start = performance.now();
    const alone = [];
    for (const prompt of prompts) alone.push(await read(model.generate(prompt, options)));
    const aloneMs = performance.now() - start;
    start = performance.now();
    const together = await Promise.all(prompts.map((prompt) => read(scheduler.generate(prompt, options))));
    const togetherMs = performance.now() - start;
    if (together.join("\n") !== alone.join("\n")) throw new Error("batching changed a text");
    ratios.push(aloneMs / togetherMs);
    speeds.push((parallel * Number(tokens) * 1000) / togetherMs);
  }
  console.log(
    `${parallel} at a time: ${show(median(speeds))} tokens/s, × ${median(ratios).toFixed(2)} of one after another`,
  );
  await scheduler.dispose();
}

/** Waits between tokens of a text, alone and while a prompt of 200 tokens joins. */
const scheduler = model.createScheduler({ parallel: 2 });
const waits = { alone: [], joined: [] };
const long = "word ".repeat(199);
for (let round = 0; round < Number(rounds); round += 1) {
  let reading = false;
  let last;
  let count = 0;
  let joined;
  await read(scheduler.generate("Once upon a time", { ...options, maxTokens: 48 }), () => {
    const now = performance.now();
    if (last !== undefined) waits[reading ? "joined" : "alone"].push(now - last);
    last = now;
    count += 1;
    if (count === 16) {
      reading = true;
      // Another beginning each time, so that nothing of it is cached.
      const prompt = `${round} ${long}`;
      joined = read(scheduler.generate(prompt, { ...options, maxTokens: 1 }), () => (reading = false));
    }
  });
  await joined;
}
console.log(
  `ms between tokens, median and longest: ${show(median(waits.alone))}, ${show(Math.max(...waits.alone))}; while a prompt of 200 tokens joins ${show(median(waits.joined))}, ${show(Math.max(...waits.joined))}`,
);
await scheduler.dispose();
await model.dispose();
