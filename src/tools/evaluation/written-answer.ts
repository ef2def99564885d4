// How GSM8K's written answers are compared: lm-evaluation-harness's filters "strict-match" and "flexible-extract", and its
// exact match, which leaves commas, dollar signs, everything up to "#### " and a last full stop out of both sides.

/** What stands for an answer in which no number was found; no right answer reads so. */
const noAnswer = "[invalid]";

/** The number after the first "#### ", the form that the examples show. */
export function strictAnswer(written: string): string {
  return /#### (-?[0-9.,]+)/.exec(written)?.[1] ?? noAnswer;
}

/** The last thing in the text that looks like a number. */
export function flexibleAnswer(written: string): string {
  return [...written.matchAll(/-?[$0-9.,]{2,}|-?[0-9]+/g)].at(-1)?.[0] ?? noAnswer;
}

export function sameAnswer(found: string, answer: string): boolean {
  return normalize(found) === normalize(answer);
}

function normalize(text: string): string {
  return text
    .replaceAll(/[,$]/g, "")
    .replace(/^.*#### /s, "")
    .replace(/\.(?=\n?$)/, "")
    .toLowerCase();
}
