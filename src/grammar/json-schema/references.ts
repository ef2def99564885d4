import { BitNetError } from "../../errors.js";
import type { Rule } from "../expression.js";
import type { Resolve } from "./differences.js";
import { refuse } from "./refuse.js";
import type { Fields } from "./schema-fields.js";

/** Resolves references within a schema. */
export function resolverOf(schema: unknown): Resolve {
  return (reference, path) => {
    if (typeof reference !== "string" || !/^#(\/|$)/.test(reference))
      refuse(path, `"$ref" is ${JSON.stringify(reference)} (expected "#/…", a path in this schema)`);
    let found: unknown = schema;
    for (const step of reference.split("/").slice(1)) {
      const key = decode(step).replaceAll("~1", "/").replaceAll("~0", "~");
      const inside = typeof found === "object" && found !== null && Object.hasOwn(found, key);
      if (!inside) refuse(path, `"$ref" names ${reference}, and there is nothing`);
      found = (found as Fields)[key];
    }
    return found;
  };
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
