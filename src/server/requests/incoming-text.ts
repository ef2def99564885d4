/** A reader of a text that comes in pieces. It yields where it needs more, and returns what it has read. */
export type Reading<T> = Generator<undefined, T, void>;

/** A text that comes in pieces, with the offset up to which it is read. */
export interface IncomingText {
  /** The text so far, without its forgotten beginning. */
  text: string;
  /** May be set back, unless the text was forgotten. */
  at: number;
  hasEnded: boolean;
}

/** Forgets the text that is read. */
export function forget(incoming: IncomingText): void {
  incoming.text = incoming.text.slice(incoming.at);
  incoming.at = 0;
}

/** Waits for another piece. @returns false at the text's end. */
export function* more(incoming: IncomingText): Reading<boolean> {
  const { length } = incoming.text;
  while (!incoming.hasEnded && incoming.text.length === length) yield;
  return incoming.text.length > length;
}

/** The next character; empty at the text's end. */
export function* peek(incoming: IncomingText): Reading<string> {
  while (incoming.at >= incoming.text.length) if (!(yield* more(incoming))) return "";
  return incoming.text.charAt(incoming.at);
}

/** Reads these characters if they come next. */
export function* accept(incoming: IncomingText, expected: string): Reading<boolean> {
  for (;;) {
    const { text, at } = incoming;
    if (text.startsWith(expected, at)) {
      incoming.at += expected.length;
      return true;
    }
    if (!expected.startsWith(text.slice(at, at + expected.length)) || !(yield* more(incoming))) return false;
  }
}

/** Reads as long as characters match. @param pattern for one character. */
export function* readWhile(incoming: IncomingText, pattern: RegExp): Reading<string> {
  let read = "";
  for (;;) {
    const next = yield* peek(incoming);
    if (next === "" || !pattern.test(next)) return read;
    read += next;
    incoming.at += 1;
  }
}

export function* skipSpace(incoming: IncomingText): Reading<void> {
  yield* readWhile(incoming, /\s/);
}

/** Reads a string of JSON. @returns undefined if none comes next, or if it does not end. */
export function* readJsonString(incoming: IncomingText): Reading<string | undefined> {
  let read = "";
  if ((yield* peek(incoming)) !== '"') return undefined;
  if (!(yield* readJson(incoming, (text) => (read += text)))) return undefined;
  const value = parseJsonValue(read);
  return typeof value === "string" ? value : undefined;
}

/**
 * Reads a value of JSON, and hands it on as it comes in. It counts brackets and quotes only. So it ends, too,
 * at a character that JSON has in strings only.
 *
 * @returns whether the value is complete.
 */
export function* readJson(incoming: IncomingText, handOn: (text: string) => void): Reading<boolean> {
  let [depth, isInString, isEscaped, begun] = [0, false, false, false];
  for (;;) {
    const begin = incoming.at;
    let isComplete: boolean | undefined;
    while (isComplete === undefined && incoming.at < incoming.text.length) {
      const next = incoming.text.charAt(incoming.at);
      if (isInString) {
        if (isEscaped) isEscaped = false;
        else if (next === "\\") isEscaped = true;
        else if (next === '"') isInString = false;
        incoming.at += 1;
        if (!isInString && depth === 0) isComplete = true;
        continue;
      }
      const endsScalar = depth === 0 && (begun ? /[^\w.+-]/ : /[^\w.+\-"[{]/).test(next);
      if (endsScalar || !/[\w\s.+\-:,"[\]{}]/.test(next)) {
        isComplete = endsScalar && begun;
        break;
      }
      begun = true;
      incoming.at += 1;
      if (next === '"') isInString = true;
      else if (next === "{" || next === "[") depth += 1;
      else if (next === "}" || next === "]") {
        depth -= 1;
        if (depth === 0) isComplete = true;
      }
    }
    const read = incoming.text.slice(begin, incoming.at);
    if (read !== "") handOn(read);
    if (isComplete !== undefined) return isComplete;
    if (!(yield* more(incoming))) return begun && depth === 0 && !isInString;
  }
}

/** Undefined for a text that is not JSON. */
export function parseJsonValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Whether a value is an object of JSON: neither null nor an array. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
