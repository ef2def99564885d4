// Judges a storyteller by numbers: `node training/judge.mjs [model.gguf] [--stories N] [--json FILE]`.
// It asks for 200 stories with the seeds 1 to 200 and the model's default settings. README.md explains the
// numbers. Sampling settings are chosen with other seeds:
// `--first-seed 1001 --sampling '{"temperature":0.3}'`.
import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { loadModel } from "../dist/index.js";
import { judge, summary } from "./judgement.mjs";

const { values, positionals } = parseArgs({
  options: {
    stories: { type: "string", default: "200" },
    "first-seed": { type: "string", default: "1" },
    sampling: { type: "string", default: "{}" },
    "max-tokens": { type: "string", default: "700" },
    json: { type: "string" },
    show: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const count = Number(values.stories);
const first = Number(values["first-seed"]);
const maxTokens = Number(values["max-tokens"]);
const sampling = JSON.parse(values.sampling);

// Two things per request. Both lists are fixed, so that models can be compared.
const firsts = [
  ["fox"], ["little girl", "girl"], ["dragon"], ["robot"], ["king"], ["mouse"], ["wizard"], ["bear"], ["baker"], ["fairy"],
  ["rabbit"], ["giant"], ["owl"], ["princess"], ["cat"], ["farmer"], ["penguin"], ["witch"], ["boy"], ["elephant"],
]; // prettier-ignore
const seconds = [
  ["golden bird", "bird"], ["dog"], ["baker"], ["star"], ["frog"], ["lion"], ["kite"], ["bee"], ["horse"], ["lantern"],
  ["hedgehog"], ["queen"], ["drum"], ["crow"], ["sailor"], ["snail"], ["ghost"], ["pony"], ["troll"], ["turtle"], ["bell"],
]; // prettier-ignore
const forms = [
  (about) => `Tell me a story about ${about}.`,
  (about) => `Can you tell me a story about ${about}?`,
  (about) => `Write a story about ${about}.`,
  (about) => `I would like a story about ${about}.`,
];

/** The request of a seed: two things that are never the same, in one of four forms. */
function requestOf(seed) {
  const [first, firstNoun = first] = firsts[seed % firsts.length];
  let index = (seed * 8 + Math.floor(seed / firsts.length)) % seconds.length;
  if (seconds[index][0] === first) index = (index + 1) % seconds.length;
  const [second, secondNoun = second] = seconds[index];
  const about = [first, second]
    .map((thing) => `${/^[aeiou]/.test(thing) ? "an" : "a"} ${thing}`)
    .join(" and ");
  return { request: forms[seed % forms.length](about), nouns: [firstNoun, secondNoun] };
}

/** Words of a list, one per line. Undefined if the file is missing. */
async function wordsOf(file) {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text && new Set(text.toLowerCase().split(/\s+/).filter(Boolean));
}

const english = await wordsOf("/usr/share/dict/american-english");
if (!english)
  console.error(
    "no /usr/share/dict/american-english (Debian: apt install wamerican): only the corpus' own words count",
  );
const corpus = await wordsOf(new URL("storyworld/words.txt", import.meta.url));

const model = await loadModel(positionals[0]);
const stories = [];
for (let seed = first; seed < first + count; seed += 1) {
  const { request, nouns } = requestOf(seed);
  const chat = model.chat();
  let text = "";
  let reason;
  for await (const piece of chat.send(request, { ...sampling, seed, maxTokens })) {
    text += piece.text;
    reason = piece.finishReason ?? reason;
  }
  chat.dispose();
  const verdict = judge(text, nouns, { english, corpus });
  stories.push({ seed, request, text, endsByItself: reason === "stop", ...verdict });
  if (values.show) console.error(`${seed}. ${request}\n${text}\n`);
}
await model.dispose();

const report = {
  model: positionals[0] ?? "embedded",
  stories: count,
  maxTokens,
  englishList: english !== undefined,
  ...summary(stories),
};
if (values.json)
  await writeFile(values.json, `${JSON.stringify({ ...report, verdicts: stories }, null, 2)}\n`);
console.table(Object.entries(report.numbers).map(([what, value]) => ({ what, ...value })));
console.log(JSON.stringify(report, null, 2));
