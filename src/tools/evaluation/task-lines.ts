import { BitNetError } from "../../errors.js";

/** One line of a JSON Lines file, an object. Its fields are read by name and kind. */
export interface TaskLine {
  /** Counted from 1. */
  readonly number: number;
  has(...names: readonly string[]): boolean;
  /** The field's value. Undefined if it is missing or null. */
  value(name: string): unknown;
  /** @throws BitNetError FILE_CORRUPT if the field is not a string. */
  text(name: string): string;
  /** @throws BitNetError FILE_CORRUPT unless the field is a list of at least `min` strings. */
  texts(name: string, min: number): readonly string[];
  /**
   * The object in a field, as a line of its own.
   * @throws BitNetError FILE_CORRUPT if the field is not an object.
   */
  object(name: string): TaskLine;
  /**
   * The objects in a field.
   * @throws BitNetError FILE_CORRUPT if the field is not a list of objects.
   */
  objects(name: string): readonly TaskLine[];
  /**
   * The index of a field's value in the accepted values.
   * @throws BitNetError FILE_CORRUPT for another value.
   */
  oneOf(name: string, accepted: readonly unknown[]): number;
  /** The same line with another value in a field. */
  with(name: string, value: unknown): TaskLine;
  /** @throws BitNetError FILE_CORRUPT, always: this line, and its problem. */
  fail(problem: string): never;
}

/** The context of messages about a line: the file, and the expected fields. */
export interface TaskSource {
  readonly name: string;
  readonly text: string;
  /**
   * Such as "an ARC line has question, choices { text, label } and answerKey". Undefined until it is known.
   */
  expected: string | undefined;
}

/**
 * Lines of a text with a JSON object in each. Empty lines are skipped.
 * @throws BitNetError FILE_CORRUPT at the first line that is something else.
 */
export function readTaskLines(source: TaskSource): readonly TaskLine[] {
  const lines: TaskLine[] = [];
  let offset = 0;
  for (const [index, text] of source.text.split("\n").entries()) {
    const fail = failAt(source, index + 1, offset);
    offset += text.length + 1;
    // Editors on Windows begin a file with a byte order mark.
    const json = index === 0 ? text.replace(/^\ufeff/, "") : text;
    if (json.trim() !== "") lines.push(createLine(parseObject(json, fail), index + 1, "", fail));
  }
  return lines;
}

type Fields = Readonly<Record<string, unknown>>;
type Fail = (problem: string) => never;

function failAt(source: TaskSource, line: number, offset: number): Fail {
  return (problem) => {
    const expected = source.expected === undefined ? "" : `; ${source.expected}`;
    const bytes = new TextEncoder().encode(source.text.slice(0, offset)).length;
    throw new BitNetError("FILE_CORRUPT", `Cannot read ${source.name}, line ${line}: ${problem}${expected}`, {
      details: { line, offset: bytes },
    });
  };
}

function parseObject(json: string, fail: Fail): Fields {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    // Engines word this error differently, and some quote the line. The message says only that it is not
    // JSON.
    return fail(`it is not JSON (${error instanceof SyntaxError ? "syntax error" : "too deep"})`);
  }
  return isObject(value) ? value : fail(`expected an object, not ${describe(value)}`);
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function createLine(fields: Fields, number: number, path: string, fail: Fail): TaskLine {
  const value = (name: string): unknown =>
    Object.hasOwn(fields, name) && fields[name] !== null ? fields[name] : undefined;
  const wrong = (name: string, expected: string): never =>
    value(name) === undefined
      ? fail(`the field "${path}${name}" is missing`)
      : fail(`the field "${path}${name}" is ${describe(value(name))}, expected ${expected}`);
  const inside = (found: Fields, name: string): TaskLine =>
    createLine(found, number, `${path}${name}.`, fail);
  return {
    number,
    value,
    fail,
    with: (name, replaced) => createLine({ ...fields, [name]: replaced }, number, path, fail),
    has: (...names) => names.every((name) => value(name) !== undefined),
    text(name): string {
      const found = value(name);
      return typeof found === "string" ? found : wrong(name, "a text");
    },
    texts(name, min): readonly string[] {
      const found = value(name);
      const isList = Array.isArray(found) && found.every((text): text is string => typeof text === "string");
      return isList && found.length >= min ? found : wrong(name, `a list of at least ${min} texts`);
    },
    object(name): TaskLine {
      const found = value(name);
      return isObject(found) ? inside(found, name) : wrong(name, "an object");
    },
    objects(name): readonly TaskLine[] {
      const found = value(name);
      const isList = Array.isArray(found) && found.every(isObject);
      return isList
        ? found.map((object, index) => inside(object, `${name}[${index}]`))
        : wrong(name, "a list of objects");
    },
    oneOf(name, accepted): number {
      const index = accepted.indexOf(value(name));
      return index >= 0
        ? index
        : wrong(name, `one of ${accepted.map((one) => JSON.stringify(one)).join(", ")}`);
    },
  };
}

/** A value from a file, short enough for a message. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}
