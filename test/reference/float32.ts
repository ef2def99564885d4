// Arithmetic of f32 hardware, one rounding per step, and measures of the difference of two f32.

/** The value at an index that must exist. A twin that reads past its operands is wrong. */
export function at(values: ArrayLike<number>, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`index ${index} of ${values.length} values`);
  return value;
}

// A product, sum, quotient or root of f32 can be computed in f64 and rounded once more. That is the correctly
// rounded f32 result, since f64 has more than twice the digits (Figueroa, "When is double rounding
// innocuous?", 1995).
export const f32: (value: number) => number = Math.fround;

/** The nearest integer. Halfway cases round to even. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const above = value - below;
  if (above < 0.5) return below;
  if (above > 0.5) return below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** Half of the distance from 1 to the next f32: the maximum relative change by one rounding. */
export const roundoff: number = 2 ** -24;

const words = new Int32Array(1);
const floats = new Float32Array(words.buffer);

/** The index of an f32 in the order of all f32. Neighbours differ by one, and both zeros have index 0. */
function orderOf(value: number): number {
  floats[0] = value;
  const bits = at(words, 0);
  return bits < 0 ? -(bits & 0x7fffffff) : bits;
}

/** The distance of two f32 in units of the order. Infinity if either is NaN. */
export function ulpsApart(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Infinity;
  return Math.abs(orderOf(a) - orderOf(b));
}
