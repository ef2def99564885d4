import { IntegerValue, ListValue, MappingValue, UndefinedValue } from "./jinja-library.js";
import type { TemplateValue } from "./jinja-library.js";
import { formatText } from "./template-format.js";
import { capitalize, joinTexts, Markup, Text } from "./template-text.js";
import { methodOf } from "./template-methods.js";
import { isEqual, printed } from "./template-values.js";

/** The arguments of a filter, and the functions that it may call. */
export interface FilterCall {
  readonly positional: readonly TemplateValue[];
  readonly named: ReadonlyMap<string, TemplateValue>;
  /** @throws Error for a test that is not known. */
  readonly test: (name: string, value: TemplateValue, ...others: readonly TemplateValue[]) => boolean;
  readonly filter: (name: string, value: TemplateValue, others: readonly TemplateValue[]) => TemplateValue;
  /** @throws Error if a text of this length is more than a template has to write. */
  readonly checkLength: (length: number) => void;
}

/** @returns undefined where the library's filter of that name is right for this operand. */
type Filter = (operand: TemplateValue, call: FilterCall) => TemplateValue | undefined;

function argument(call: FilterCall, index: number, name: string): TemplateValue | undefined {
  return call.positional[index] ?? call.named.get(name);
}

const isTrue = (value: TemplateValue | undefined): boolean => value !== undefined && truthOf(value);

/** Python's truth of a value. */
export function truthOf({ value }: TemplateValue): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value instanceof Map ? value.size > 0 : Boolean(value);
}

/** The items that a loop walks through. Undefined for a value without items. */
export function itemsOf(value: TemplateValue): readonly TemplateValue[] | undefined {
  if (value.type === "UndefinedValue") return [];
  if (value.type === "StringValue") return Text.from(value).characters();
  if (Array.isArray(value.value)) return value.value as readonly TemplateValue[];
  return value instanceof MappingValue ? value.keys().value : undefined;
}

/** A value by a path such as `function.name`. */
function attributeOf(item: TemplateValue, path: TemplateValue | undefined): TemplateValue {
  let found: TemplateValue | undefined = item;
  for (const part of String(path?.value).split(".")) {
    const inner: unknown = found?.value;
    if (inner instanceof Map) found = (inner as ReadonlyMap<string, TemplateValue>).get(part);
    else if (Array.isArray(inner) && /^\d+$/.test(part))
      found = (inner as readonly TemplateValue[])[Number(part)];
    else found = undefined;
  }
  return found ?? new UndefinedValue();
}

/** A method of strings as a filter of the same name. Jinja prints other values first. */
const asMethod =
  (name: string): Filter =>
  (operand, { positional }) => {
    const method = methodOf(printed(operand), name)?.value as (
      args: readonly TemplateValue[],
    ) => TemplateValue;
    return method(positional);
  };

const passes = (
  item: TemplateValue,
  { test }: FilterCall,
  [name, ...others]: readonly TemplateValue[],
): boolean => (name === undefined ? truthOf(item) : test(String(name.value), item, ...others));

const selects =
  ({ wanted }: { readonly wanted: boolean }): Filter =>
  (operand, call) =>
    keep(operand, (item) => passes(item, call, call.positional) === wanted);

const selectsByAttribute =
  ({ wanted }: { readonly wanted: boolean }): Filter =>
  (operand, call) => {
    const [path, ...test] = call.positional;
    return keep(operand, (item) => passes(attributeOf(item, path), call, test) === wanted);
  };

function keep(operand: TemplateValue, isKept: (item: TemplateValue) => boolean): TemplateValue | undefined {
  const items = operand.type === "NullValue" ? [] : itemsOf(operand);
  return items && new ListValue(items.filter(isKept));
}

const end =
  (index: number): Filter =>
  (operand) => {
    const items = itemsOf(operand);
    return items && (items.at(index) ?? new UndefinedValue());
  };

const length: Filter = (operand) => {
  const { value } = operand;
  if (value instanceof Map) return new IntegerValue(value.size);
  if (Array.isArray(value)) return new IntegerValue(value.length);
  if (typeof value === "string") return new IntegerValue(Array.from(value).length);
  return operand.type === "UndefinedValue" ? new IntegerValue(0) : undefined;
};

const join: Filter = (operand, call) => {
  const separator = argument(call, 0, "d") ?? call.named.get("separator");
  const path = argument(call, 1, "attribute");
  const items = itemsOf(operand);
  const texts = items?.map((item) => printed(path === undefined ? item : attributeOf(item, path)));
  return texts && joinTexts(texts, separator === undefined ? Text.of("", "0") : printed(separator));
};

const indent: Filter = (operand, call) => {
  const width = argument(call, 0, "width")?.value ?? 4;
  const step = Text.of(typeof width === "string" ? width : " ".repeat(Math.min(Number(width), 1000)), "0");
  const blank = isTrue(argument(call, 2, "blank"));
  const first = isTrue(argument(call, 1, "first"));
  const lines = printed(operand).split("\n");
  call.checkLength(operand.toString().length + lines.length * step.length);
  const indented = lines.map((line, index) =>
    (index === 0 ? first : blank || line.length > 0) ? Text.concat([step, line]) : line,
  );
  return joinTexts(indented, Text.of("\n", "0"));
};

const map: Filter = (operand, call) => {
  const path = call.named.get("attribute");
  const [name, ...others] = call.positional;
  const missing = call.named.get("default");
  const change = (item: TemplateValue): TemplateValue => {
    if (path === undefined) return call.filter(String(name?.value), item, others);
    const found = attributeOf(item, path);
    return found.type === "UndefinedValue" ? (missing ?? found) : found;
  };
  const items = itemsOf(operand);
  return items && new ListValue(items.map(change));
};

const sortKey = (value: TemplateValue | undefined, isCaseSensitive: boolean): TemplateValue["value"] => {
  const key = value?.value;
  return typeof key === "string" && !isCaseSensitive ? key.toLowerCase() : key;
};

const dictsort: Filter = (operand, call) => {
  if (!(operand instanceof MappingValue)) return undefined;
  const isCaseSensitive = isTrue(argument(call, 0, "case_sensitive"));
  const index = argument(call, 1, "by")?.value === "value" ? 1 : 0;
  const sign = isTrue(argument(call, 2, "reverse")) ? -1 : 1;
  const keyOf = (pair: TemplateValue): unknown =>
    sortKey((pair.value as readonly TemplateValue[])[index], isCaseSensitive);
  const pairs = [...operand.items().value].sort((a, b) => sign * orderOf(keyOf(a), keyOf(b)));
  return new ListValue(pairs);
};

const title: Filter = (operand) =>
  printed(operand).map((text) =>
    text
      .split(/([-\s({[<]+)/)
      .map(capitalize)
      .join(""),
  );

/** Filters that the library lacks, or whose results differ from Jinja's own, or that make strings. */
export const filters: Readonly<Record<string, Filter>> = {
  trim: asMethod("strip"),
  upper: asMethod("upper"),
  lower: asMethod("lower"),
  capitalize: asMethod("capitalize"),
  replace: asMethod("replace"),
  title,
  indent,
  join,
  map,
  length,
  count: length,
  first: end(0),
  last: end(-1),
  string: (operand) => printed(operand),
  format: (operand, call) => formatText(printed(operand), call),
  safe: (operand) => {
    const { value, origins } = printed(operand);
    return new Markup(value, origins);
  },
  select: selects({ wanted: true }),
  reject: selects({ wanted: false }),
  selectattr: selectsByAttribute({ wanted: true }),
  rejectattr: selectsByAttribute({ wanted: false }),
  items: (operand) =>
    operand instanceof MappingValue
      ? operand.items()
      : operand.type === "UndefinedValue"
        ? new ListValue([])
        : undefined,
  dictsort,
  list: (operand) => {
    const items = itemsOf(operand);
    return items && new ListValue(items);
  },
  reverse: (operand) => {
    const items = itemsOf(operand)?.toReversed();
    if (items === undefined || operand.type !== "StringValue") return items && new ListValue(items);
    return Text.concat(items.map(Text.from));
  },
};

/** Below 0, 0 or above 0. @throws Error for values that Python does not compare. */
function orderOf(left: unknown, right: unknown): number {
  const isComparable =
    (typeof left === "number" && typeof right === "number") ||
    (typeof left === "string" && typeof right === "string");
  if (!isComparable) throw new Error(`cannot compare ${typeof left} and ${typeof right}`);
  return left < right ? -1 : left > right ? 1 : 0;
}

const compares =
  (holds: (order: number) => boolean) =>
  (a: TemplateValue, b: TemplateValue | undefined): boolean =>
    holds(orderOf(a.value, b?.value));
const equal = (a: TemplateValue, b: TemplateValue | undefined): boolean => b !== undefined && isEqual(a, b);

/** Tests that the library lacks or takes differently. */
export const tests: Readonly<
  Record<string, (value: TemplateValue, other: TemplateValue | undefined) => boolean>
> = {
  iterable: (value) => itemsOf(value) !== undefined,
  sequence: (value) => itemsOf(value) !== undefined && value.type !== "UndefinedValue",
  number: ({ value }) => typeof value === "number" || typeof value === "boolean",
  float: ({ type }) => type === "FloatValue",
  equalto: equal,
  eq: equal,
  "==": equal,
  sameas: (a, b) => a === b || (a.type === b?.type && a.value === b.value),
  ne: (a, b) => !equal(a, b),
  "!=": (a, b) => !equal(a, b),
  in: (a, b) => {
    if (typeof a.value === "string" && typeof b?.value === "string") return b.value.includes(a.value);
    return b !== undefined && itemsOf(b)?.some((item) => isEqual(item, a)) === true;
  },
  lt: compares((order) => order < 0),
  "<": compares((order) => order < 0),
  le: compares((order) => order <= 0),
  "<=": compares((order) => order <= 0),
  gt: compares((order) => order > 0),
  ">": compares((order) => order > 0),
  ge: compares((order) => order >= 0),
  ">=": compares((order) => order >= 0),
};
