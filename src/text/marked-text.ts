import { BitNetError } from "../errors.js";
import type { TextPart } from "./tokenizer.js";

/** Marks around texts that go through a template: afterwards it is known what is template and what is somebody's text. */
export interface TextMarks {
  /** A character that stands nowhere else. */
  readonly mark: string;
  /** A value whose strings are marked, as far as they could spell a special token. */
  around(value: unknown): unknown;
  /** The text without marks, cut at them: what they were around makes no special tokens. */
  cut(text: string): TextPart[];
  /** The text without marks. */
  strip(text: string): string;
}

/** Names and words: no special token is spelt like that, and templates compare some of them. */
const harmless = /^[\p{L}\p{N}\s_.,;:!?'"()$/-]*$/u;
const deepest = 100;

/** @param texts everything that the marks must not be in. @throws BitNetError INVALID_ARGUMENT */
export function createTextMarks(texts: string): TextMarks {
  const [mark, begin, end] = freshCharacters(texts, 3);

  function around(value: unknown, depth: number): unknown {
    if (depth > deepest)
      throw new BitNetError("INVALID_ARGUMENT", `Tools or their calls are more than ${deepest} deep`);
    if (typeof value === "string") return harmless.test(value) ? value : `${begin}${value}${end}`;
    if (Array.isArray(value)) return value.map((item) => around(item, depth + 1));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [around(name, depth + 1), around(item, depth + 1)]),
    );
  }

  return {
    mark,
    around: (value) => around(value, 0),
    cut(text): TextPart[] {
      const parts: TextPart[] = [];
      for (const [index, piece] of text.split(begin).entries()) {
        const [inside = "", ...outside] = index === 0 ? ["", piece] : piece.split(end);
        parts.push({ text: inside, parseSpecial: false }, { text: outside.join(""), parseSpecial: true });
      }
      return parts.filter((part) => part.text !== "");
    },
    strip: (text) => text.replaceAll(begin, "").replaceAll(end, ""),
  };
}

/** Private-use characters that nobody has written. */
function freshCharacters(texts: string, count: 3): readonly [string, string, string] {
  const found: string[] = [];
  for (let code = 0xe000; code <= 0xf8ff && found.length < count; code += 1) {
    const character = String.fromCharCode(code);
    if (!texts.includes(character)) found.push(character);
  }
  const [first, second, third] = found;
  if (first !== undefined && second !== undefined && third !== undefined) return [first, second, third];
  throw new BitNetError("INVALID_ARGUMENT", "The messages hold every private-use character there is");
}
