import { accept, type IncomingText, peek, type Reading, readWhile, skipSpace } from "./incoming-text.js";

/** A model can open brackets without end. */
const maxDepth = 64;

/**
 * Reads a literal of Python, of JSON, or of FunctionGemma, whose strings stand between `<escape>`.
 *
 * @returns the value as JSON text; undefined for anything else.
 */
export function* readLiteral(incoming: IncomingText, depth = 0): Reading<string | undefined> {
  yield* skipSpace(incoming);
  const next = yield* peek(incoming);
  if (depth > maxDepth) return undefined;
  if (next === '"' || next === "'") return yield* readString(incoming, next);
  if (next === "<") return yield* readEscaped(incoming);
  if (next === "{") return yield* readEntries(incoming, "{", "}", depth + 1);
  if (next === "[") return yield* readItems(incoming, "]", depth + 1);
  if (next === "(") return yield* readItems(incoming, ")", depth + 1);
  return scalar(yield* readWhile(incoming, /[\w.+-]/));
}

/** Reads `{key: value, …}`, or the arguments `(key=value, …)` of a call. */
export function* readEntries(
  incoming: IncomingText,
  opening: "{" | "(",
  closing: "}" | ")",
  depth = 0,
): Reading<string | undefined> {
  if (!(yield* accept(incoming, opening))) return undefined;
  const entries: string[] = [];
  for (;;) {
    yield* skipSpace(incoming);
    if (yield* accept(incoming, closing)) return `{${entries.join(", ")}}`;
    if (opening === "(" && (yield* accept(incoming, "**"))) {
      // All arguments as one dictionary.
      const all = yield* readEntries(incoming, "{", "}", depth);
      if (all === undefined) return undefined;
      if (all !== "{}") entries.push(all.slice(1, -1));
    } else {
      const key = yield* readKey(incoming);
      if (key === undefined) return undefined;
      yield* skipSpace(incoming);
      if (!(yield* accept(incoming, opening === "{" ? ":" : "="))) return undefined;
      const value = yield* readLiteral(incoming, depth);
      if (value === undefined) return undefined;
      entries.push(`${key}: ${value}`);
    }
    yield* skipSpace(incoming);
    if ((yield* peek(incoming)) !== closing && !(yield* accept(incoming, ","))) return undefined;
  }
}

function* readKey(incoming: IncomingText): Reading<string | undefined> {
  const next = yield* peek(incoming);
  if (/["'<]/.test(next)) return yield* readLiteral(incoming);
  const word = yield* readWhile(incoming, /[\w.-]/);
  return word === "" ? undefined : JSON.stringify(word);
}

function* readItems(incoming: IncomingText, closing: "]" | ")", depth: number): Reading<string | undefined> {
  incoming.at += 1;
  const items: string[] = [];
  for (;;) {
    yield* skipSpace(incoming);
    if (yield* accept(incoming, closing)) return `[${items.join(", ")}]`;
    const item = yield* readLiteral(incoming, depth);
    if (item === undefined) return undefined;
    items.push(item);
    yield* skipSpace(incoming);
    if ((yield* peek(incoming)) !== closing && !(yield* accept(incoming, ","))) return undefined;
  }
}

/** A string between `<escape>`, as it is: it has no escape sequences. */
function* readEscaped(incoming: IncomingText): Reading<string | undefined> {
  if (!(yield* accept(incoming, "<escape>"))) return undefined;
  let text = "";
  for (;;) {
    if (yield* accept(incoming, "<escape>")) return JSON.stringify(text);
    const next = yield* peek(incoming);
    if (next === "") return undefined;
    text += next;
    incoming.at += 1;
  }
}

const escapes: Readonly<Record<string, string>> = {
  ...{ n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", v: "\v", a: "\x07", "0": "\0" },
  ...{ "\\": "\\", "'": "'", '"': '"', "/": "/", "\n": "" },
};
const digitsOfEscape: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** A string of Python or JSON. Unknown escape sequences stand for themselves, as in Python. */
function* readString(incoming: IncomingText, quote: string): Reading<string | undefined> {
  incoming.at += 1;
  let text = "";
  for (;;) {
    const next = yield* peek(incoming);
    if (next === "") return undefined;
    incoming.at += 1;
    if (next === quote) return JSON.stringify(text);
    if (next !== "\\") {
      text += next;
      continue;
    }
    const escaped = yield* peek(incoming);
    incoming.at += 1;
    const count = digitsOfEscape[escaped];
    if (count === undefined) {
      text += escapes[escaped] ?? `\\${escaped}`;
      continue;
    }
    let digits = "";
    while (digits.length < count && /[\da-f]/i.test(yield* peek(incoming))) {
      digits += yield* peek(incoming);
      incoming.at += 1;
    }
    const code = parseInt(digits, 16);
    if (digits.length < count || code > 0x10ffff) return undefined;
    text += count === 4 ? String.fromCharCode(code) : String.fromCodePoint(code);
  }
}

const words: Readonly<Record<string, string>> = {
  ...{ True: "true", False: "false", None: "null", true: "true", false: "false", null: "null" },
};

function scalar(word: string): string | undefined {
  const known = words[word];
  if (known !== undefined || /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i.test(word)) return known ?? word;
  // Python's other numbers, such as +1, .5, 1_000 and 0x10.
  const value = /^[+-]?(\.?\d|\d_)/.test(word) ? Number(word.replaceAll("_", "")) : NaN;
  return Number.isFinite(value) ? JSON.stringify(value) : undefined;
}
