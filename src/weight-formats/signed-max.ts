const float32 = Math.fround;

/**
 * Codes 0 … 2·half − 1 and a scale for a block, as Q4_0 and Q5_0 choose them, in float32: w ≈ scale · (code −
 * half).
 *
 * The value of the largest magnitude becomes code 0, because there is one more code below zero than above. So
 * the scale has the opposite sign of that value.
 */
export function signedMaxCodes(
  values: Float32Array,
  half: number,
): { readonly scale: number; readonly codes: Uint8Array } {
  const extreme = values.reduce((max, value) => (Math.abs(value) > Math.abs(max) ? value : max), 0);
  const scale = float32(extreme / -half);
  const inverse = float32(1 / scale);
  // Below 2^-128 and at 0 there is no inverse. The scale, as a half, is 0 then.
  const factor = Number.isFinite(inverse) ? inverse : 0;
  const codes = new Uint8Array(values.length);
  for (let index = 0; index < values.length; index += 1) {
    const ratio = float32((values[index] as number) * factor);
    codes[index] = Math.min(2 * half - 1, Math.trunc(float32(ratio + (half + 0.5))));
  }
  return { scale, codes };
}
