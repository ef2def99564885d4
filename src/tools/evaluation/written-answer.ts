// How GSM8K's written answers are compared: by lm-evaluation-harness's filters "strict-match" and
// "flexible-extract" and its exact match. The match ignores commas, dollar signs, everything up to "#### "
// and a last full stop.

/** Stands for an answer without a number. No right answer equals it. */
const noAnswer = "[invalid]";

/** The number after the first "#### ", the form of the examples. */
export function strictAnswer(written: string): string {
  return /#### (-?[0-9.,]+)/.exec(written)?.[1] ?? noAnswer;
}

/** The last number in the text. */
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
