// The cost of a JSON schema: `node bench/schemas.mjs [model.gguf] [fields]`. It measures the compilation of a
// schema of 50 fields, the time to the first token with and without one, and the time to find the tokens that
// may come next.
import { spreadOf } from "../dist/tools/benchmark/statistics.js";
import { jsonGrammarAsync } from "../dist/grammar/json-grammar.js";
import { internalsOf } from "../dist/language-model/internals.js";
import { loadModel } from "../dist/language-model/load-model.js";

const [path, fields = "50"] = process.argv.slice(2);
const rounds = 15;
const kinds = [
  { type: "string", maxLength: 40 },
  { type: "integer", minimum: 0, maximum: 1000 },
  { type: "string", format: "date-time" },
  { type: "boolean" },
  { enum: ["red", "green", "blue"] },
];
const values = ["A short text.", 17, "2026-01-02T03:04:05Z", true, "green"];
const names = Array.from({ length: Number(fields) }, (_, index) => index);

/** A schema that no earlier round had, so that it is compiled. */
const schemaOf = (round) => ({
  type: "object",
  properties: Object.fromEntries(names.map((at) => [`round${round}_${at}`, kinds[at % kinds.length]])),
  required: names.map((at) => `round${round}_${at}`),
  additionalProperties: false,
});
const textOf = (round) =>
  JSON.stringify(Object.fromEntries(names.map((at) => [`round${round}_${at}`, values[at % values.length]])));

const model = await loadModel(path, { contextLength: 512 });
const { tokenizer } = internalsOf(model);

/** Milliseconds of one step. */
async function time(step) {
  const begin = performance.now();
  await step();
  return performance.now() - begin;
}

async function firstToken(jsonSchema) {
  for await (const _ of model.generate("A record: ", { maxTokens: 1, temperature: 0, jsonSchema })) return;
}

const [compile, plain, first, fresh, known] = [[], [], [], [], []];
for (let round = 0; round < rounds; round += 1) {
  let grammar;
  compile.push(await time(async () => (grammar = await jsonGrammarAsync(schemaOf(round)))));
  plain.push(await time(() => firstToken(undefined)));
  first.push(await time(() => firstToken(schemaOf(rounds + round))));
  await grammar.prepare?.(tokenizer);
  const guide = grammar.start(tokenizer);
  const logits = new Float32Array(tokenizer.vocabSize);
  for (const id of tokenizer.encode(textOf(round), { addBos: false })) {
    fresh.push(await time(() => guide.restrict(logits)));
    known.push(await time(() => guide.restrict(logits)));
    if (guide.accept(id)) break;
  }
}
await model.dispose();

const milliseconds = (times, digits) => {
  const { median, min, max } = spreadOf(times);
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
};
const share = (times, limit) =>
  `${((100 * times.filter((each) => each <= limit).length) / times.length).toFixed(0)} %`;
console.log(
  `${fields} fields, a vocabulary of ${tokenizer.vocabSize} tokens, Node.js ${process.versions.node}`,
);
console.log(`compilation                    ${milliseconds(compile, 1)} ms`);
console.log(`first token without a schema   ${milliseconds(plain, 1)} ms`);
console.log(`first token with a new schema  ${milliseconds(first, 1)} ms`);
console.log(
  `allowed tokens of a new state  ${milliseconds(fresh, 3)} ms, ${share(fresh, 0.3)} within 0.3 ms`,
);
console.log(
  `allowed tokens of a known one  ${milliseconds(known, 3)} ms, ${share(known, 0.3)} within 0.3 ms`,
);
