import { refuse } from "./refuse.js";
import type { Fields } from "./schema-fields.js";

/** Far deeper than any schema. JSON.stringify runs out of stack at about 4000 levels. */
const maxLevels = 1000;
/** Number of steps of a path that a message shows. */
const shownSteps = 8;

/**
 * Checks that recursive code can walk a schema, including the values of `const` and `enum`.
 *
 * @throws BitNetError INVALID_ARGUMENT naming the beginning of a path that is too long, or a value that JSON
 *   does not have.
 */
export function checkDepth(schema: unknown): void {
  const path: string[] = [];
  const visit = (value: unknown): void => {
    if (typeof value === "bigint") refuse(shown(path), "a bigint is no JSON");
    if (typeof value !== "object" || value === null) return;
    if (path.length >= maxLevels) refuse(shown(path), `values are more than ${maxLevels} levels deep`);
    // Lists of constants are long. An array of their entries takes longer than their visit.
    for (const name of Object.keys(value)) {
      const inner = (value as Fields)[name];
      if (typeof inner !== "object" && typeof inner !== "bigint") continue;
      path.push(name);
      visit(inner);
      path.pop();
    }
  };
  visit(schema);
}

function shown(path: readonly string[]): string {
  const steps = path.length > shownSteps ? [...path.slice(0, shownSteps), "…"] : path;
  return ["#", ...steps].join("/");
}
