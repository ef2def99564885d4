/** A position in a regular expression. */
export interface Cursor {
  /** Characters. One past U+FFFF is one unit. */
  readonly units: readonly string[];
  at: number;
}

/** Steps over a unit, if it comes next. */
export function take(cursor: Cursor, unit: string): boolean {
  if (cursor.units[cursor.at] !== unit) return false;
  cursor.at += 1;
  return true;
}

export function quantifier(cursor: Cursor): readonly [number, number] | undefined {
  const simple = { "*": [0, Infinity], "+": [1, Infinity], "?": [0, 1] } as const;
  const unit = cursor.units[cursor.at];
  let range: readonly [number, number] | undefined;
  if (unit === "*" || unit === "+" || unit === "?") {
    cursor.at += 1;
    range = simple[unit];
  } else if (unit === "{") {
    const counts = /^\{(\d+)(,?)(\d*)\}/.exec(cursor.units.slice(cursor.at, cursor.at + 40).join(""));
    if (counts === null) throw new Error("it has a brace that is no quantifier");
    const [whole, min, comma, max] = counts;
    cursor.at += whole.length;
    range = [Number(min), comma === "" ? Number(min) : max === "" ? Infinity : Number(max)];
  }
  // A lazy quantifier matches the same texts.
  if (range !== undefined) take(cursor, "?");
  return range;
}
