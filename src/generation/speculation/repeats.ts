/** An earlier occurrence, up to `at`, of a text's last tokens. */
export interface Repeat {
  /** Index of the last token of the earlier occurrence. */
  at: number;
  /** Number of matching tokens; 0 if there is no occurrence. */
  length: number;
}

/**
 * Finds the longest, and of these the latest, earlier occurrence of a text's last tokens.
 *
 * It looks at every position, which takes a microsecond per thousand tokens. An index would take as long to
 * maintain.
 *
 * @param longest maximum length of a match, in tokens.
 * @param repeat receives the result.
 */
export function findRepeat(tokens: readonly number[], longest: number, repeat: Repeat): void {
  const end = tokens.length - 1;
  const last = tokens[end];
  repeat.length = 0;
  for (let at = end - 1; at >= 0; at -= 1) {
    if (tokens[at] !== last) continue;
    let length = 1;
    while (length < longest && length <= at && tokens[at - length] === tokens[end - length]) length += 1;
    if (length <= repeat.length) continue;
    repeat.at = at;
    repeat.length = length;
    if (length === longest) return;
  }
}
