/**
 * Makes text from a file or an error safe for a terminal, as one line. Names in a model file may contain line
 * breaks and escape sequences.
 */
export function visible(text: string): string {
  return text.replaceAll(
    /\p{Cc}|[\u2028\u2029]/gu,
    (character) => escapes.get(character) ?? unicodeEscape(character),
  );
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
