import { ListValue, MappingValue, TupleValue, UndefinedValue } from "./jinja-library.js";
import type { ListLike, TemplateValue } from "./jinja-library.js";
import { type Origin, Text } from "./template-text.js";

/** A mapping whose keys are values: they know who wrote them, and a template's own may be numbers. */
class KeyedMapping extends MappingValue {
  readonly #keyOf: (key: string) => TemplateValue;

  constructor(value: ReadonlyMap<string, TemplateValue>, keyOf: (key: string) => TemplateValue) {
    super(value);
    this.#keyOf = keyOf;
  }

  override items(): ListLike {
    return new ListValue(Array.from(this.value, ([key, value]) => new TupleValue([this.#keyOf(key), value])));
  }

  override keys(): ListLike {
    return new ListValue(Array.from(this.value.keys(), this.#keyOf));
  }
}

/** A mapping that a template writes. */
export function writtenMapping(entries: readonly (readonly [TemplateValue, TemplateValue])[]): TemplateValue {
  const keys = new Map(entries.map(([key]) => [printed(key).value, key]));
  const values = entries.map(([key, value]) => [printed(key).value, value] as const);
  return new KeyedMapping(new Map(values), (key) => keys.get(key) ?? Text.of(key, "0"));
}

/** A string inside the items of a template. Its origin differs from the origin of the other items. */
export class Spelling {
  readonly text: string;
  readonly origin: Origin;

  constructor(text: string, origin: Origin) {
    this.text = text;
    this.origin = origin;
  }
}

const maxDepth = 100;

/**
 * A value of JavaScript as templates have it. All strings in it, and all names, have the origin.
 *
 * @param toValue Makes the library's value of a number, a boolean or null.
 * @throws Error for a value that is more than 100 deep.
 */
export function foreignValue(
  input: unknown,
  origin: Origin,
  toValue: (input: unknown) => TemplateValue,
  depth = 0,
): TemplateValue {
  if (depth > maxDepth) throw new Error(`tools or their calls are more than ${maxDepth} deep`);
  const inner = (item: unknown): TemplateValue => foreignValue(item, origin, toValue, depth + 1);
  if (typeof input === "string") return Text.of(input, origin);
  if (input instanceof Spelling) return Text.of(input.text, input.origin);
  if (Array.isArray(input)) return new ListValue(input.map(inner));
  if (typeof input !== "object" || input === null) return toValue(input);
  const entries = Object.entries(input).filter(([, value]) => value !== undefined);
  return new KeyedMapping(new Map(entries.map(([key, value]) => [key, inner(value)])), (key) =>
    Text.of(key, origin),
  );
}

const isList = (value: TemplateValue): value is ListLike => Array.isArray(value.value);

/** The most foreign origin of any string in a value. */
export function originOf(value: TemplateValue): Origin {
  if (value instanceof Text) return value.origin;
  const inner = value instanceof MappingValue ? value.items().value : value.value;
  const values: readonly TemplateValue[] = Array.isArray(inner) ? (inner as readonly TemplateValue[]) : [];
  const origins = values.map(originOf);
  if (origins.includes("2")) return "2";
  return origins.includes("1") ? "1" : "0";
}

/** The text that a template prints for a value: Python's `str()`. */
export function printed(value: TemplateValue): Text {
  if (value.type === "StringValue") return Text.from(value);
  return Text.of(spell(value), originOf(value));
}

function spell(value: TemplateValue): string {
  const inner = value.value;
  if (value.type === "UndefinedValue") return "";
  if (value.type === "NullValue") return "None";
  if (typeof inner === "boolean") return inner ? "True" : "False";
  if (typeof inner === "string") return quote(inner);
  if (Array.isArray(inner)) {
    const items = (inner as readonly TemplateValue[]).map(spell);
    if (value.type !== "TupleValue") return `[${items.join(", ")}]`;
    return items.length === 1 ? `(${items.join("")},)` : `(${items.join(", ")})`;
  }
  if (value instanceof MappingValue) {
    const pairs = value.items().value as readonly ListLike[];
    return `{${pairs.map((pair) => pair.value.map(spell).join(": ")).join(", ")}}`;
  }
  return value.toString();
}

const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

/** Python's `repr()` of a string. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[\p{C}\p{Z}\\'"]/gu, (character) => {
    if (character === " ") return character;
    if (character === "'" || character === '"') return character === mark ? `\\${character}` : character;
    const code = character.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    return (
      named[character] ??
      (code < 0x100
        ? `\\x${hex.padStart(2, "0")}`
        : code < 0x10000
          ? `\\u${hex.padStart(4, "0")}`
          : `\\U${hex.padStart(8, "0")}`)
    );
  });
  return mark + escaped + mark;
}

/**
 * Whether two values are equal in Python. Lists and mappings are equal if their items are. None equals only
 * None.
 * @param onStep Called once for each pair of values.
 */
export function isEqual(a: TemplateValue, b: TemplateValue, onStep?: () => void): boolean {
  onStep?.();
  if (a === b) return true;
  const [left, right] = [a.value, b.value];
  if (isList(a) && isList(b)) {
    const others = b.value;
    return (
      a.value.length === others.length &&
      a.value.every((item, index) => isEqual(item, others[index] ?? new UndefinedValue(), onStep))
    );
  }
  if (left instanceof Map && right instanceof Map) {
    const others = right as ReadonlyMap<string, TemplateValue>;
    const own = left as ReadonlyMap<string, TemplateValue>;
    return (
      own.size === others.size &&
      Array.from(own).every(([key, item]) => {
        const other = others.get(key);
        return other !== undefined && isEqual(item, other, onStep);
      })
    );
  }
  // The library keeps undefined in both.
  if (a.type === "NullValue" || b.type === "NullValue") return a.type === b.type;
  if (typeof left === "boolean" || typeof right === "boolean") {
    const isNumber = (value: unknown): boolean => typeof value === "boolean" || typeof value === "number";
    return isNumber(left) && isNumber(right) && Number(left) === Number(right);
  }
  return left === right;
}
