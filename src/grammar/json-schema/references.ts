import { BitNetError } from "../../errors.js";
import type { Rule } from "../expression.js";
import type { Resolve } from "./differences.js";
import { refuse } from "./refuse.js";
import type { Fields } from "./schema-fields.js";

/** The parts of a schema that have names. */
interface Names {
  readonly schemas: ReadonlyMap<string, unknown>;
  readonly repeated: ReadonlySet<string>;
  /** References whose meaning depends on a schema with an `$id` of its own around them. */
  readonly inner: ReadonlySet<string>;
}

/** Resolves references within a schema: paths, `$anchor` and `$id`. */
export function resolverOf(schema: unknown): Resolve {
  let known: Names | undefined;
  return (reference, path) => {
    known ??= namesIn(schema);
    const given = JSON.stringify(reference);
    if (typeof reference !== "string") refuse(path, `"$ref" is ${given} (expected a string)`);
    if (known.inner.has(reference))
      refuse(path, `"$ref" is ${given} within a schema with an "$id" of its own (expected a whole URI)`);
    const [address = "", ...fragments] = reference.split("#");
    const fragment = fragments.join("#");
    const name = absolute(address, baseOf(schema));
    const isNamed = fragment !== "" && !fragment.startsWith("/");
    if (known.repeated.has(name) || (isNamed && known.repeated.has(`#${fragment}`)))
      refuse(path, `"$ref" is ${given}, and several schemas have this name`);
    const within = address === "" ? schema : known.schemas.get(name);
    if (within === undefined)
      refuse(path, `"$ref" is ${given} (expected "#/…", or an "$anchor" or "$id" of this schema)`);
    if (fragment === "") return within;
    if (!isNamed) return atPointer(within, fragment, reference, path);
    return (
      known.schemas.get(`#${fragment}`) ?? refuse(path, `"$ref" names ${reference}, and there is nothing`)
    );
  };
}

function atPointer(schema: unknown, pointer: string, reference: string, path: string): unknown {
  let found = schema;
  for (const step of pointer.split("/").slice(1)) {
    const key = decode(step).replaceAll("~1", "/").replaceAll("~0", "~");
    const inside = typeof found === "object" && found !== null && Object.hasOwn(found, key);
    if (!inside) refuse(path, `"$ref" names ${reference}, and there is nothing`);
    found = (found as Fields)[key];
  }
  return found;
}

/** Keywords whose values are no schemas. */
const valueKeywords: ReadonlySet<string> = new Set(["const", "enum", "default", "examples"]);

function namesIn(schema: unknown): Names {
  const schemas = new Map<string, unknown>();
  const inner = new Set<string>();
  const repeated = new Set<string>();
  const add = (name: string, found: unknown): void => {
    if (schemas.has(name)) repeated.add(name);
    schemas.set(name, found);
  };
  const visit = (value: unknown, base: string, { isInner }: { readonly isInner: boolean }): void => {
    if (typeof value !== "object" || value === null) return;
    const { $id, $anchor, $ref } = value as Fields;
    const isPart = typeof $id === "string" && !$id.startsWith("#");
    const here = isPart ? absolute($id, base) : base;
    const within = isInner || (isPart && value !== schema);
    if (isPart) add(here, value);
    // Draft 6 and 7 write an anchor as an "$id".
    else if (typeof $id === "string") add($id, value);
    if (typeof $anchor === "string") add(`#${$anchor}`, value);
    if (within && typeof $ref === "string" && !URL.canParse($ref)) inner.add($ref);
    for (const [name, part] of Object.entries(value))
      if (!valueKeywords.has(name)) visit(part, here, { isInner: within });
  };
  visit(schema, "", { isInner: false });
  return { schemas, repeated, inner };
}

function baseOf(schema: unknown): string {
  const { $id } = (typeof schema === "object" && schema !== null ? schema : {}) as Fields;
  return typeof $id === "string" ? $id : "";
}

function absolute(address: string, base: string): string {
  const whole = URL.canParse(address) ? new URL(address) : undefined;
  const found = whole ?? (URL.canParse(address, base) ? new URL(address, base) : undefined);
  return (found?.href ?? address).replace(/#$/, "");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @throws BitNetError INVALID_ARGUMENT if references lead from a schema back to itself without any text. */
export function refuseCircles(same: ReadonlyMap<Rule, readonly Rule[]>): void {
  const done = new Set<Rule>();
  const onWay = new Set<Rule>();
  const visit = (rule: Rule): void => {
    if (done.has(rule)) return;
    if (onWay.has(rule)) {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        "Cannot keep to the JSON schema: a schema refers to itself and to nothing else",
        { details: { option: "jsonSchema" } },
      );
    }
    onWay.add(rule);
    for (const other of same.get(rule) ?? []) visit(other);
    onWay.delete(rule);
    done.add(rule);
  };
  for (const rule of same.keys()) visit(rule);
}
