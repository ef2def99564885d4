/** Where a text has been before: its end, up to `at`, is also how it ended at the time. */
export interface Repeat {
  /** Index of the last token of the earlier occurrence. */
  at: number;
  /** How many tokens the two ends share; 0 for none. */
  length: number;
}

/**
 * Finds the latest earlier place where a text ends as it does now, for as many tokens as possible.
 *
 * Every earlier place is looked at, which takes a microsecond per thousand tokens: an index would take as long to keep.
 * @param longest tokens after which a longer match makes no difference.
 * @param repeat where the result goes.
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
