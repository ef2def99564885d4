import { StringValue, type TemplateValue } from "./jinja-library.js";

/** Python's white space. JavaScript's `trim` also takes U+FEFF and leaves the separators U+001C to U+001F. */
const whiteSpace = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const nextWord = new RegExp(`[^${whiteSpace}]+`, "g");
const isWhiteSpace = new RegExp(`[${whiteSpace}]`);

interface SplitOptions {
  /** The most cuts. */
  readonly limit?: number | undefined;
  /** Whether the last separators count first. */
  readonly fromEnd?: boolean | undefined;
}

/**
 * The writer of a character: the template, a person or tool, or the message that the model is to continue.
 */
export type Origin = "0" | "1" | "2";

/**
 * A string of a template that knows the writer of each UTF-16 unit. So a rendered prompt says which of its
 * parts may spell control tokens. The template's changes to messages do not matter.
 */
export class Text extends StringValue {
  /** One `Origin` per UTF-16 unit of the value. */
  readonly origins: string;

  constructor(value: string, origins: string) {
    super(value);
    this.origins = origins;
  }

  static of(value: string, origin: Origin): Text {
    return new Text(value, origin.repeat(value.length));
  }

  /** Any string value. A string that the library made is the template's. */
  static from(value: TemplateValue): Text {
    return value instanceof Text ? value : Text.of(String(value.value), "0");
  }

  static concat(parts: readonly Text[]): Text {
    return new Text(parts.map(({ value }) => value).join(""), parts.map(({ origins }) => origins).join(""));
  }

  get length(): number {
    return this.value.length;
  }

  /** The most foreign origin in it. A result of the whole string has this origin. */
  get origin(): Origin {
    return this.origins.includes("2") ? "2" : this.origins.includes("1") ? "1" : "0";
  }

  slice(begin: number, end?: number): Text {
    return new Text(this.value.slice(begin, end), this.origins.slice(begin, end));
  }

  /** By code points, as Python counts. */
  characters(): readonly Text[] {
    let at = 0;
    return Array.from(this.value, (character) => {
      at += character.length;
      return this.slice(at - character.length, at);
    });
  }

  /** Without these characters at its ends, or without white space. */
  strip(characters: string | undefined, ends: { readonly start?: boolean; readonly end?: boolean }): Text {
    const set = characters === undefined ? undefined : new Set(characters);
    const drops = (character: string): boolean => set?.has(character) ?? isWhiteSpace.test(character);
    const { value } = this;
    let [begin, end] = [0, value.length];
    while (ends.start && begin < end && drops(characterAt(value, begin))) {
      begin += characterAt(value, begin).length;
    }
    while (ends.end && end > begin && drops(characterBefore(value, end))) {
      end -= characterBefore(value, end).length;
    }
    return this.slice(begin, end);
  }

  /** @param separator Default: white space. */
  split(separator: string | undefined, options: SplitOptions = {}): readonly Text[] {
    const { limit = Infinity, fromEnd = false } = options;
    if (separator === "") throw new Error("empty separator");
    const pieces: (readonly [number, number])[] = [];
    if (separator === undefined) {
      for (const { 0: word, index } of this.value.matchAll(nextWord))
        pieces.push([index, index + word.length]);
    } else {
      let begin = 0;
      for (let at = this.value.indexOf(separator); at !== -1; at = this.value.indexOf(separator, begin)) {
        pieces.push([begin, at]);
        begin = at + separator.length;
      }
      pieces.push([begin, this.length]);
    }
    if (pieces.length > 0 && pieces.length > limit) {
      // The uncut rest stays one piece, with the white space at the text's end.
      if (fromEnd) pieces.splice(0, pieces.length - limit, [0, pieces.at(-limit - 1)?.[1] ?? 0]);
      else pieces.splice(limit, pieces.length - limit, [pieces[limit]?.[0] ?? 0, this.length]);
    }
    return pieces.map(([begin, end]) => this.slice(begin, end));
  }

  replace(old: string, by: Text, count?: number): Text {
    const limit = count ?? Infinity;
    if (old === "") {
      const parts = this.characters().flatMap((character, index) =>
        index < limit ? [by, character] : [character],
      );
      return Text.concat(parts.length < limit ? [...parts, by] : parts);
    }
    const [first, ...rest] = this.split(old, { limit });
    return Text.concat([...(first ? [first] : []), ...rest.flatMap((piece) => [by, piece])]);
  }

  /** A change of case, which may change the length. */
  map(change: (text: string) => string): Text {
    const changed = change(this.value);
    return changed.length === this.length ? new Text(changed, this.origins) : Text.of(changed, this.origin);
  }
}

/**
 * A string that is HTML to Jinja. The filter `safe` makes it. Adding another string to it escapes that
 * string.
 */
export class Markup extends Text {}

/** Jinja's `+` of two strings. Its `~` does not escape. */
export function add(left: Text, right: Text): Text {
  if (!(left instanceof Markup || right instanceof Markup)) return Text.concat([left, right]);
  const { value, origins } = Text.concat(
    [left, right].map((text) => (text instanceof Markup ? text : escape(text))),
  );
  return new Markup(value, origins);
}

const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;" };

function escape(text: Text): Text {
  return Object.entries(entities).reduce(
    (escaped, [character, entity]) => escaped.replace(character, Text.of(entity, text.origin)),
    text,
  );
}

export function capitalize(text: string): string {
  const first = characterAt(text, 0);
  const upper = first.toUpperCase();
  // Of letters that become two, as ß does, only the first is a capital.
  const head = characterAt(upper, 0);
  return head + upper.slice(head.length).toLowerCase() + text.slice(first.length).toLowerCase();
}

function characterAt(text: string, index: number): string {
  const code = text.codePointAt(index);
  return code === undefined ? "" : String.fromCodePoint(code);
}

function characterBefore(text: string, end: number): string {
  const pair = text.slice(Math.max(0, end - 2), end);
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(pair) ? pair : text.slice(end - 1, end);
}

export function joinTexts(items: readonly Text[], separator: Text): Text {
  return Text.concat(items.flatMap((item, index) => (index === 0 ? [item] : [separator, item])));
}
