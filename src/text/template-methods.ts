import { BooleanValue, FunctionValue, IntegerValue, ListValue, type TemplateValue } from "./jinja-library.js";
import { capitalize, joinTexts, Text } from "./template-text.js";

/**
 * Named and positional arguments of a call from a template. The library passes named ones as the last value.
 */
function argumentsOf(
  args: readonly TemplateValue[],
  names: readonly string[],
): (name: string) => TemplateValue | undefined {
  const last = args.at(-1);
  const named =
    last?.type === "KeywordArgumentsValue" ? (last.value as ReadonlyMap<string, TemplateValue>) : undefined;
  const positional = named === undefined ? args : args.slice(0, -1);
  return (name) => positional[names.indexOf(name)] ?? named?.get(name);
}

function stringOf(value: TemplateValue | undefined, what: string): string {
  if (value?.type === "StringValue") return value.value as string;
  throw new Error(`${what} must be a string`);
}

/** @returns undefined for a value that is absent or none. */
function optional<T>(value: TemplateValue | undefined, read: (value: TemplateValue) => T): T | undefined {
  return value === undefined || value.type === "NullValue" ? undefined : read(value);
}

function countOf(value: TemplateValue | undefined, what: string): number | undefined {
  const count = optional(value, ({ value: given }) => given);
  if (count === undefined) return undefined;
  if (typeof count !== "number" || !Number.isInteger(count))
    throw new Error(`${what} must be a whole number`);
  return count < 0 ? undefined : count;
}

function prefixesOf(value: TemplateValue | undefined, what: string): readonly string[] {
  if (Array.isArray(value?.value)) {
    return (value.value as readonly TemplateValue[]).map((item) => stringOf(item, what));
  }
  return [stringOf(value, what)];
}

type Method = (text: Text, argument: (name: string) => TemplateValue | undefined) => TemplateValue;
const list = (items: readonly TemplateValue[]): TemplateValue => new ListValue(items);

const strips =
  (ends: { readonly start?: boolean; readonly end?: boolean }): Method =>
  (text, argument) =>
    text.strip(
      optional(argument("chars"), (value) => stringOf(value, "strip()'s argument")),
      ends,
    );

const splits =
  ({ fromEnd }: { readonly fromEnd: boolean }): Method =>
  (text, argument) =>
    list(
      text.split(
        optional(argument("sep"), (value) => stringOf(value, "split()'s separator")),
        { limit: countOf(argument("maxsplit"), "maxsplit"), fromEnd },
      ),
    );

const cases =
  (change: (text: string) => string): Method =>
  (text) =>
    text.map(change);

/** The string methods of Python that templates use: the names of their arguments, and an implementation. */
const methods: Readonly<Record<string, readonly [names: readonly string[], call: Method]>> = {
  strip: [["chars"], strips({ start: true, end: true })],
  lstrip: [["chars"], strips({ start: true })],
  rstrip: [["chars"], strips({ end: true })],
  split: [["sep", "maxsplit"], splits({ fromEnd: false })],
  rsplit: [["sep", "maxsplit"], splits({ fromEnd: true })],
  splitlines: [
    [],
    (text) => {
      const newline = Text.of("\n", "0");
      const lines = text.replace("\r\n", newline).replace("\r", newline).split("\n");
      return list(lines.at(-1)?.value === "" ? lines.slice(0, -1) : lines);
    },
  ],
  upper: [[], cases((text) => text.toUpperCase())],
  lower: [[], cases((text) => text.toLowerCase())],
  capitalize: [[], cases(capitalize)],
  title: [[], cases((text) => text.replace(/\p{L}+/gu, capitalize))],
  replace: [
    ["old", "new", "count"],
    (text, argument) => {
      const by = argument("new");
      stringOf(by, "replace()'s second argument");
      const old = stringOf(argument("old"), "replace()'s first argument");
      return text.replace(old, Text.from(by ?? text), countOf(argument("count"), "count"));
    },
  ],
  startswith: [
    ["prefix"],
    ({ value }, argument) =>
      new BooleanValue(
        prefixesOf(argument("prefix"), "startswith()'s argument").some((item) => value.startsWith(item)),
      ),
  ],
  endswith: [
    ["suffix"],
    ({ value }, argument) =>
      new BooleanValue(
        prefixesOf(argument("suffix"), "endswith()'s argument").some((item) => value.endsWith(item)),
      ),
  ],
  removeprefix: [
    ["prefix"],
    (text, argument) => {
      const prefix = stringOf(argument("prefix"), "removeprefix()'s argument");
      return text.value.startsWith(prefix) ? text.slice(prefix.length) : text;
    },
  ],
  removesuffix: [
    ["suffix"],
    (text, argument) => {
      const suffix = stringOf(argument("suffix"), "removesuffix()'s argument");
      return suffix !== "" && text.value.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
    },
  ],
  find: [
    ["sub"],
    ({ value }, argument) => {
      const at = value.indexOf(stringOf(argument("sub"), "find()'s argument"));
      return new IntegerValue(at === -1 ? at : Array.from(value.slice(0, at)).length);
    },
  ],
  count: [
    ["sub"],
    (text, argument) =>
      new IntegerValue(text.split(stringOf(argument("sub"), "count()'s argument")).length - 1),
  ],
  join: [
    ["iterable"],
    (text, argument) => {
      const items = argument("iterable")?.value;
      if (!Array.isArray(items)) throw new Error("join()'s argument must be a list");
      return joinTexts(
        (items as readonly TemplateValue[]).map(
          (item) => (stringOf(item, "join()'s items"), Text.from(item)),
        ),
        text,
      );
    },
  ],
  isdigit: [[], ({ value }) => new BooleanValue(/^\p{Nd}+$/u.test(value))],
  isspace: [
    [],
    (text) => new BooleanValue(text.length > 0 && text.strip(undefined, { start: true }).length === 0),
  ],
};

/** @returns a method of the string, as a template calls it; undefined if Python has none of that name. */
export function methodOf(text: Text, name: string): TemplateValue | undefined {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (method === undefined) return undefined;
  const [names, call] = method;
  return new FunctionValue((args) => call(text, argumentsOf(args, names)));
}
