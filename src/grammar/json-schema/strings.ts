import { lastCodePoint } from "../code-points.js";
import { asRule, type Expression, repeat, sequence, text } from "../expression.js";
import { byteLengths, intersection } from "../intersection.js";
import * as json from "../json-text.js";
import { counts } from "./counts.js";
import { narrowerPatterns } from "./narrower-patterns.js";
import { patternCharacters } from "./pattern.js";
import { refuse } from "./refuse.js";
import type { Fields } from "./schema-fields.js";
import { stringFormats } from "./string-formats.js";

/** The texts of strings. Of several restrictions, a string keeps to all. */
export function stringExpression(fields: Fields, path: string): Expression {
  if (fields.format === "jwt") refuse(path, '"format" is "jwt", and a grammar cannot sign a token');
  const restrictions = [...formatRestriction(fields), ...patternRestriction(fields, path)];
  const [min, max] = counts(fields, "Length", path);
  const [first] = restrictions;
  if (first === undefined) return json.stringOf(min, max);
  const key = JSON.stringify([fields.format, fields.pattern, min, String(max)]);
  try {
    const known = knownStrings.get(key) ?? asRule(limitLength(intersectionOf(restrictions), min, max));
    if (knownStrings.size >= maxKnown) knownStrings.clear();
    knownStrings.set(key, known);
    return sequence(text('"'), known, text('"'));
  } catch (error) {
    refuse(path, `it is not supported: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Made once for each restriction: a schema may use it in a hundred fields. */
const knownStrings = new Map<string, Expression>();

function intersectionOf(restrictions: readonly Expression[]): Expression {
  const [first, second] = restrictions;
  return first !== undefined && second === undefined ? first : intersection(...restrictions);
}

/** An unknown format is a note: JSON Schema does not make it a restriction. */
function formatRestriction({ format }: Fields): Expression[] {
  const known = typeof format === "string" && Object.hasOwn(stringFormats, format);
  const pattern = known ? stringFormats[format] : undefined;
  return pattern === undefined ? [] : [ofPattern(pattern)];
}

function patternRestriction({ pattern }: Fields, path: string): Expression[] {
  if (pattern === undefined) return [];
  if (typeof pattern !== "string") refuse(path, '"pattern" is no string');
  try {
    return [ofPattern(narrowerPatterns.get(pattern) ?? pattern)];
  } catch (error) {
    refuse(path, `"pattern" is not supported: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const anyCharacter = asRule(json.characterOf([[0, lastCodePoint]]));

function limitLength(characters: Expression, min: number, max: number): Expression {
  if (min === 0 && max === Infinity) return characters;
  // Most formats are far within the limits. A long character takes up to 12 bytes, as two escapes.
  const bytes = byteLengths(characters);
  const fewest = bytes.hasLongCharacters ? Math.ceil(bytes.min / 12) : bytes.min;
  if (bytes.max <= max && fewest >= min) return characters;
  return intersection(characters, repeat(anyCharacter, min, max));
}

const knownPatterns = new Map<string, Expression>();
const maxKnown = 256;

/** A pattern's expression, made once. A schema may use a format in a hundred fields. */
function ofPattern(pattern: string): Expression {
  const known = knownPatterns.get(pattern) ?? asRule(patternCharacters(pattern));
  if (knownPatterns.size >= maxKnown) knownPatterns.clear();
  knownPatterns.set(pattern, known);
  return known;
}
