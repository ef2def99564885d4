// The harness prepares texts with Python's string methods. JavaScript's differ in what they count as white space.

/** What `str.isspace` accepts. */
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

/** `str.capitalize()`: the first letter becomes large, and all others small. */
export function capitalize(text: string): string {
  const [first = ""] = text;
  // All of it made small at once: how a sigma looks depends on the letters around it.
  return first.toUpperCase() + text.toLowerCase().slice(first.toLowerCase().length);
}
