import { asRule, type Expression, sequence, text } from "../expression.js";
import * as json from "../json-text.js";
import { counts } from "./counts.js";
import { patternCharacters } from "./pattern.js";
import { refuse } from "./refuse.js";
import type { Fields } from "./schema-fields.js";
import { stringFormats } from "./string-formats.js";

/** The texts of strings. */
export function stringExpression(fields: Fields, path: string): Expression {
  const { pattern, format } = fields;
  const counted = fields.minLength !== undefined || fields.maxLength !== undefined;
  if (pattern === undefined && format === undefined) return json.stringOf(...counts(fields, "Length", path));
  if (pattern !== undefined && format !== undefined)
    refuse(path, '"format" beside "pattern" is not supported');
  const name = pattern === undefined ? "format" : "pattern";
  if (counted) refuse(path, `a length beside "${name}" is not supported`);
  const expression =
    pattern ?? (Object.hasOwn(stringFormats, String(format)) ? stringFormats[String(format)] : undefined);
  if (expression === undefined)
    refuse(
      path,
      `"format" is ${JSON.stringify(format)} (supported: ${Object.keys(stringFormats).join(", ")})`,
    );
  if (typeof expression !== "string") refuse(path, '"pattern" is no string');
  try {
    return sequence(
      text('"'),
      pattern === undefined ? formatted(expression) : patternCharacters(expression),
      text('"'),
    );
  } catch (error) {
    refuse(path, `"pattern" is not supported: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const knownFormats = new Map<string, Expression>();

/** A format's expression, made once. A schema may use it in a hundred fields. */
function formatted(pattern: string): Expression {
  const known = knownFormats.get(pattern) ?? asRule(patternCharacters(pattern));
  knownFormats.set(pattern, known);
  return known;
}
