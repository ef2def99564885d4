import { describe, expect, it } from "vitest";
import { isUtf8, wideCharacters } from "#dist/grammar/byte-categories.js";
import { createGrammar } from "#dist/grammar/grammar.js";
import { jsonSchemaExpression } from "#dist/grammar/json-schema/json-schema.js";
import type { Tokenizer } from "#dist/text/tokenizer.js";
import { randomFrom } from "../support/grammar-walk.js";

const encoder = new TextEncoder();

/** The parts of a tokenizer that a grammar uses. The last token ends generation. */
function vocabularyOf(tokens: readonly Uint8Array[]): Tokenizer {
  const end = tokens.length;
  const part = {
    vocabSize: end + 1,
    endOfGenerationIds: new Set([end]),
    tokenBytes: (id: number) => tokens[id] ?? new Uint8Array(0),
  };
  return part as unknown as Tokenizer;
}

/** Single bytes, and random tokens with a preference for shared beginnings. */
function randomTokens(random: () => number): Uint8Array[] {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const pieces = [
    ...'abcdefgxyzABCXYZ0123456789 "\\{}[]:,.-_/@!?+\n\t\u007f',
    ..."äßéœ中文字語한글€\u{1f600}\u{1f680}\u{10ffff}\ud7ff\ue000",
    ...'true false null name kind \\n \\u00e9 {" ": ", "} 2026-11-29 the    '.split(" "),
  ].filter((piece) => piece !== "");
  const tokens = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  for (let index = 0; index < 900; index += 1) {
    const length = random() < 0.02 ? 30 : 1 + Math.floor(random() * 5);
    let bytes = encoder.encode(Array.from({ length }, () => pick(pieces)).join(""));
    // Parts of characters, as byte-level vocabularies have them.
    if (random() < 0.15) bytes = bytes.slice(Math.floor(random() * 2), bytes.length - 1);
    if (random() < 0.4) bytes = Uint8Array.from([...pick(tokens), ...bytes]);
    if (bytes.length > 0) tokens.push(bytes);
  }
  return tokens;
}

const schemas: readonly unknown[] = [
  { type: "string" },
  { type: "string", maxLength: 3 },
  { type: "string", minLength: 2, maxLength: 40 },
  { type: "string", pattern: "^[a-f0-9]{4,20}$" },
  { type: "string", pattern: "^[a-z中-鿿]*é?$" },
  { type: "string", pattern: "^[^a]{1,12}$" },
  { type: "string", format: "date-time" },
  { type: "array", items: { type: "number" }, maxItems: 3 },
  { enum: ["true story", "true", 'a "quoted" one', "中文", "中國"] },
  {
    type: "object",
    properties: { name: { type: "string", maxLength: 9 }, kind: { type: ["null", "boolean"] } },
  },
  {},
];

describe("tokens that may come next", () => {
  it.each(schemas.map((schema, index) => [JSON.stringify(schema), index, schema] as const))(
    "are those that fit byte by byte: %s",
    (_, seed, schema) => {
      const random = randomFrom(seed + 1);
      const tokenizer = vocabularyOf(randomTokens(random));
      const grammar = createGrammar(jsonSchemaExpression(schema));
      let states = 0;
      for (let text = 0; text < 12; text += 1) {
        const guide = grammar.start(tokenizer);
        for (let length = 0; length < 25; length += 1) {
          const logits = new Float32Array(tokenizer.vocabSize + 40);
          guide.restrict(logits);
          const marked = Array.from(logits.subarray(0, tokenizer.vocabSize), (value) => value === 0);
          const fitting = Array.from(marked.keys(), (id) => guide.allows(id));
          expect(marked).toEqual(fitting);
          expect(logits.subarray(tokenizer.vocabSize).every((value) => value === -Infinity)).toBe(true);
          states += 1;
          const ids = fitting.flatMap((fits, id) => (fits && id < tokenizer.vocabSize - 1 ? [id] : []));
          if (ids.length === 0 || guide.accept(ids[Math.floor(random() * ids.length)] ?? 0)) break;
        }
      }
      expect(states).toBeGreaterThan(12);
    },
  );
});

describe("bytes of characters", () => {
  it("are those of TextDecoder", () => {
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const random = randomFrom(7);
    const edges = [0x00, 0x61, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1];
    edges.push(0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff);
    for (let index = 0; index < 20_000; index += 1) {
      const length = Math.floor(random() * 6);
      const bytes = Uint8Array.from({ length }, () => edges[Math.floor(random() * edges.length)] ?? 0);
      let valid = true;
      try {
        strict.decode(bytes);
      } catch {
        valid = false;
      }
      expect(isUtf8(bytes), bytes.join()).toBe(valid);
    }
  });

  it("cover every character past U+007F", () => {
    const count = wideCharacters
      .map((form) => form.reduce((product, [first, last]) => product * (last - first + 1), 1))
      .reduce((sum, each) => sum + each, 0);
    expect(count).toBe(0x110000 - 0x80 - 0x800);
  });
});
