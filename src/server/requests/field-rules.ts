import { editDistance } from "../../options/known-options.js";
import { badRequest } from "../failures.js";

/** A field that a route does not support. */
export interface Refusal {
  /** Whether a value asks for the feature. Values that ask for nothing are harmless. */
  readonly asks: (value: unknown, body: Readonly<Record<string, unknown>>) => boolean;
  /** The reason, or another way to the same end. */
  readonly advice: string;
}

/**
 * The fields that a route knows and does not use. Names are paths: "options.mirostat" is in an object,
 * "messages[].images" in each object of a list.
 */
export interface FieldRules {
  /** Fields that do not change the answer, or not what it means. */
  readonly harmless: readonly string[];
  readonly refused: Readonly<Record<string, Refusal>>;
  /** Objects whose fields all have a rule, besides the body itself, with the fields that the route uses. */
  readonly objects?: Readonly<Record<string, readonly string[]>>;
}

/** All fields of a route, for its documentation. */
export interface RouteFields extends FieldRules {
  readonly used: readonly string[];
}

/** Whether a value asks for something: absent, null, false and empty values do not. */
export function isGiven(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== false && value !== "";
}

/** Whether a value is given. @param values further values that ask for nothing. */
export function isOther(...values: readonly unknown[]): Refusal["asks"] {
  return (value) => isGiven(value) && !values.includes(value);
}

/** The same refusal for several fields. */
export function refuseAll(names: readonly string[], refusal: Refusal): Readonly<Record<string, Refusal>> {
  return Object.fromEntries(names.map((name) => [name, refusal]));
}

/**
 * Refuses fields that the route does not support, and names that are nearly those of used fields.
 *
 * @returns names of the other unknown fields.
 * @throws Failure 400 naming the field.
 */
export function checkFields(body: unknown, { used, harmless, refused, objects = {} }: RouteFields): string[] {
  if (!isObject(body)) return [];
  for (const [path, { asks, advice }] of Object.entries(refused)) {
    for (const [param, value] of valuesAt(body, path.split("."))) {
      if (asks(value, body)) throw badRequest(param, `This server does not support ${param}: ${advice}`);
    }
  }
  const unknown: string[] = [];
  for (const [path, usedHere] of [["", used], ...Object.entries(objects)] as const) {
    const prefix = path === "" ? "" : `${path}.`;
    const object = path === "" ? body : body[path];
    for (const name of isObject(object) ? Object.keys(object) : []) {
      const full = prefix + name;
      if (usedHere.includes(name) || harmless.includes(full) || Object.hasOwn(refused, full)) continue;
      const likely = usedHere.find((each) => isNearly(name, each));
      if (likely !== undefined) {
        throw badRequest(full, `Unknown field ${shorten(full)}: did you mean ${prefix}${likely}?`);
      }
      unknown.push(full);
    }
  }
  return unknown;
}

/** The values at a path, with the path of each. */
function* valuesAt(
  value: unknown,
  [step, ...rest]: readonly string[],
  before = "",
): Generator<readonly [param: string, value: unknown], void, void> {
  if (step === undefined) {
    yield [before, value];
    return;
  }
  const name = step.replace("[]", "");
  const path = before === "" ? name : `${before}.${name}`;
  const inner = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  if (inner === undefined) return;
  if (!step.endsWith("[]")) {
    yield* valuesAt(inner, rest, path);
  } else if (Array.isArray(inner)) {
    for (const [index, each] of inner.entries()) yield* valuesAt(each, rest, `${path}.${index}`);
  }
}

/** Whether a name differs in spelling only: case, underscores, one letter, or two of a long name. */
function isNearly(name: string, used: string): boolean {
  const plain = (text: string): string => text.replaceAll(/[_-]/g, "").toLowerCase();
  const [asked, known] = [plain(name), plain(used)];
  const most = known.length < 4 ? 0 : known.length < 8 ? 1 : 2;
  if (Math.abs(asked.length - known.length) > most) return false;
  return editDistance(asked, known) <= most;
}

function shorten(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
