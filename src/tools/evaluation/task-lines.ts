import { BitNetError } from "../../errors.js";

/** One line of a JSON Lines file, an object, whose fields are asked for by name and kind. */
export interface TaskLine {
  /** From 1. */
  readonly number: number;
  has(...names: readonly string[]): boolean;
  /** The field as it is; undefined where it is missing or null. */
  value(name: string): unknown;
  /** @throws BitNetError FILE_CORRUPT if the field is no string. */
  text(name: string): string;
  /** @throws BitNetError FILE_CORRUPT if the field is no list of strings, of at least `least`. */
  texts(name: string, min: number): readonly string[];
  /** The object in a field, as a line of its own. @throws BitNetError FILE_CORRUPT if it is none. */
  object(name: string): TaskLine;
  /** The objects in a field. @throws BitNetError FILE_CORRUPT if it is no list of objects. */
  objects(name: string): readonly TaskLine[];
  /** Which of the accepted values a field has, as an index. @throws BitNetError FILE_CORRUPT if none. */
  oneOf(name: string, accepted: readonly unknown[]): number;
  /** The same line with another value in a field. */
  with(name: string, value: unknown): TaskLine;
  /** @throws BitNetError FILE_CORRUPT, always: this line, and what is wrong with it. */
  fail(problem: string): never;
}

/** What messages about a line say: the file, and what a line of its kind has. */
export interface TaskSource {
  readonly name: string;
  readonly text: string;
  /** Such as "an ARC line has question, choices { text, label } and answerKey"; undefined until it is known. */
  expected: string | undefined;
}

/**
 * Lines of a text that holds a JSON object in each; empty lines are passed over.
 * @throws BitNetError FILE_CORRUPT at the first line that is something else.
 */
export function readTaskLines(source: TaskSource): readonly TaskLine[] {
  const lines: TaskLine[] = [];
  let offset = 0;
  for (const [index, text] of source.text.split("\n").entries()) {
    const fail = failAt(source, index + 1, offset);
    offset += text.length + 1;
    // Windows' editors begin a file with a byte order mark.
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
    // Engines word this differently, and some quote the line; what matters is that it is no JSON.
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
