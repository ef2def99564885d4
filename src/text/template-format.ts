import type { TemplateValue } from "./jinja-library.js";
import { Text } from "./template-text.js";
import { originOf, printed } from "./template-values.js";

/** The arguments of `format`, and a check of the length of its result. */
interface Formatting {
  readonly positional: readonly TemplateValue[];
  readonly named: ReadonlyMap<string, TemplateValue>;
  readonly checkLength: (length: number) => void;
}

/** `%s`, `%.3s`, `%d`, `%i`, `%f`, `%.2f`, `%(name)s` and `%%`. Another percent sign matches alone. */
const places = /%(?:(?<sign>%)|(?:\((?<name>\w+)\))?(?:\.(?<precision>\d{1,2}))?(?<kind>[sdif]))|%/g;

const noGroups: Readonly<Record<string, string | undefined>> = {};

/**
 * Python's `text % arguments`, without widths and flags.
 *
 * @throws Error for another kind of place, for too few or too many arguments, and for a number's place with
 *   another value.
 */
export function formatText(text: Text, { positional, named, checkLength }: Formatting): Text {
  const parts: Text[] = [];
  let [used, end, length] = [0, 0, 0];
  const add = (part: Text): void => {
    length += part.length;
    checkLength(length);
    parts.push(part);
  };
  for (const match of text.value.matchAll(places)) {
    add(text.slice(end, match.index));
    end = match.index + match[0].length;
    const { sign, name, precision, kind } = match.groups ?? noGroups;
    if (sign !== undefined) add(text.slice(end - 1, end));
    else if (kind === undefined) throw new Error("format takes %s, %d, %i, %f and %% only");
    else {
      const value = name === undefined ? positional[used] : named.get(name);
      if (value === undefined) throw new Error("not enough arguments for format string");
      if (name === undefined) used += 1;
      add(spell(value, kind, precision === undefined ? undefined : Number(precision)));
    }
  }
  add(text.slice(end));
  if (used < positional.length) throw new Error("not all arguments converted during string formatting");
  return Text.concat(parts);
}

function spell(value: TemplateValue, kind: string, precision: number | undefined): Text {
  if (kind === "s") return printed(value).slice(0, precision);
  const number = typeof value.value === "boolean" ? Number(value.value) : value.value;
  if (typeof number !== "number") throw new Error(`%${kind} format: a number is required`);
  const spelt = kind === "f" ? number.toFixed(precision ?? 6) : String(Math.trunc(number));
  return Text.of(spelt, originOf(value));
}
