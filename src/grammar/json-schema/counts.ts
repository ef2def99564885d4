import { cannotKeep, refuse } from "./refuse.js";
import type { Fields } from "./schema-fields.js";

/** Larger upper limits are lowered to this number. */
const maxCounted = 4096;

function count(fields: Fields, name: string, otherwise: number, path: string): number {
  const value = fields[name] ?? otherwise;
  const whole =
    typeof value === "number" && value >= 0 && (value === Infinity || Number.isSafeInteger(value));
  return whole
    ? value
    : refuse(path, `"${name}" is ${JSON.stringify(value)} (expected a whole number from 0)`);
}

/** Lower and upper limit of a count, such as minItems and maxItems; Infinity if there is no upper limit. */
export function counts(fields: Fields, what: string, path: string): readonly [number, number] {
  const min = count(fields, `min${what}`, 0, path);
  const max = count(fields, `max${what}`, Infinity, path);
  if (min > maxCounted) cannotKeep(path, `min${what}`, `"min${what}" is above ${maxCounted}`);
  return [min, max === Infinity ? max : Math.min(max, maxCounted)];
}
