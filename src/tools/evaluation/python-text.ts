// The harness prepares texts with Python's string methods. JavaScript's methods count other characters as
// white space.

/** The characters of `str.isspace`. */
const isSpace = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** `str.strip()` */
export function strip(text: string): string {
  let begin = 0;
  while (isSpace.test(text.charAt(begin))) begin += 1;
  return stripEnd(text.slice(begin));
}

/** `str.rstrip()`. A regular expression would take quadratic time over spaces inside. */
export function stripEnd(text: string): string {
  let end = text.length;
  while (isSpace.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** `str.capitalize()`: the first letter becomes upper case, all others lower case. */
export function capitalize(text: string): string {
  const [first = ""] = text;
  // All at once: the form of a sigma depends on its neighbours.
  return first.toUpperCase() + text.toLowerCase().slice(first.toLowerCase().length);
}
