// The verdict on one story, and their summary. judge.mjs uses it.

const plurals = { mouse: "mice", wolf: "wolves", fairy: "fairies", pony: "ponies", dwarf: "dwarves" };

/** Whether a noun occurs, in singular or plural. */
const occurs = (noun, text) =>
  new RegExp(`\\b(?:${noun}(?:e?s)?|${plurals[noun] ?? noun})\\b`, "i").test(text);

const paragraphsOf = (text) =>
  text
    .trim()
    .split(/\n+/)
    .filter((line) => line.trim() !== "");

/**
 * The verdict on one story.
 *
 * @param text the story.
 * @param nouns the two requested things.
 * @param lists sets of small words: an English list and the corpus' own words; either may be undefined.
 */
export function judge(text, nouns, { english, corpus }) {
  const words = text.match(/[A-Za-z]+(?:'[A-Za-z]+)?/g) ?? [];
  const unknown = words.filter((word) => !isKnown(word.toLowerCase(), english, corpus));
  const main = mainOf(text, nouns);
  return {
    words: words.length,
    paragraphs: paragraphsOf(text).length,
    unknown,
    present: nouns.filter((noun) => occurs(noun, text)).length,
    main: main.label,
    sameMain: main.same,
    repeated: repeatedSentences(text),
  };
}

/** A word, or its stem before an apostrophe, is in one of the lists. */
function isKnown(word, english, corpus) {
  const stem = word.split("'")[0];
  return [english, corpus].some((list) => list?.has(word) || list?.has(stem));
}

/**
 * The main character: the name in the first paragraph that occurs most often, else the first requested noun
 * that occurs there. It is the same if the last paragraph has its name or its noun, and if no sentence gives
 * the name to another noun.
 */
function mainOf(text, nouns) {
  const paragraphs = paragraphsOf(text);
  const first = paragraphs[0] ?? "";
  const last = paragraphs.at(-1) ?? "";
  const introduced = introductions.flatMap((pattern) =>
    [...text.matchAll(pattern)].map(({ groups }) => ({ name: groups.name, kind: groups.kind })),
  );
  const names = introduced.map((one) => one.name).filter((name) => first.includes(name));
  const name = names.sort((left, right) => count(right, text) - count(left, text))[0];
  if (name === undefined) {
    const noun = nouns.find((candidate) => occurs(candidate, first)) ?? nouns[0];
    return { label: noun, same: occurs(noun, first) && occurs(noun, last) };
  }
  const kinds = new Set(introduced.filter((one) => one.name === name).map((one) => one.kind));
  const there = last.includes(name) || [...kinds].some((kind) => occurs(kind, last));
  return { label: name, same: there && kinds.size === 1 };
}

/** "a fox named Pip", "Pip was a little fox who", "Pip, the fox who". */
const introductions = [
  /\ban? (?:[a-z]+ ){0,3}?(?<kind>[a-z]+),? (?:named|called|whose name was) (?<name>[A-Z][a-z]+)/g,
  /\b(?<name>[A-Z][a-z]+) was an? (?:[a-z]+ ){0,3}?(?<kind>[a-z]+) who\b/g,
  /\b(?<name>[A-Z][a-z]+), the (?:[a-z]+ ){0,2}?(?<kind>[a-z]+) who\b/g,
];

const count = (word, text) => text.split(word).length - 1;

/** Sentences of four words or more that occur again. */
function repeatedSentences(text) {
  const sentences = text
    .split(/(?<=[.!?])"?\s+/)
    .map((sentence) => sentence.replaceAll('"', "").trim())
    .filter((sentence) => sentence.split(" ").length >= 4);
  return sentences.filter((sentence, index) => sentences.indexOf(sentence) !== index);
}

/** Shares over all stories, with the limit that each should reach. */
export function summary(stories) {
  const share = (test) => stories.filter(test).length / stories.length;
  const words = stories.reduce((sum, story) => sum + story.words, 0);
  const unknown = stories.flatMap((story) => story.unknown);
  const entry = (value, limit, good) => ({ value: Number(value.toFixed(4)), limit, good });
  const atLeast = (value, limit) => entry(value, `≥ ${limit}`, value >= limit);
  const unknownShare = unknown.length / Math.max(1, words);
  const repeated = share((story) => story.repeated.length > 0);
  return {
    numbers: {
      "words in no list": entry(unknownShare, "≤ 0.0005", unknownShare <= 0.0005),
      "same main character": atLeast(
        share((story) => story.sameMain),
        0.97,
      ),
      "both things": atLeast(
        share((story) => story.present === 2),
        0.85,
      ),
      "at least one thing": atLeast(
        share((story) => story.present >= 1),
        0.98,
      ),
      "ends by itself": atLeast(
        share((story) => story.endsByItself),
        0.95,
      ),
      "a sentence twice": entry(repeated, "= 0", repeated === 0),
    },
    wordsPerStory: Number((words / stories.length).toFixed(1)),
    unknownWords: [...new Set(unknown)].slice(0, 100),
  };
}
