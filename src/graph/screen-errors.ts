/** Factors of a row's norms in its logit's error bound: ‖w − ŵ‖ · fromLost + ‖w‖ · fromSize. */
export interface ScreenErrors {
  readonly fromLost: number;
  readonly fromSize: number;
}

/**
 * The error bounds that a hidden state x gives (engine/screening has the derivation).
 *
 * ‖w − ŵ‖·‖x‖ + (‖w‖ + ‖w − ŵ‖)·‖x − x̂‖ + γ·‖w‖·‖x‖, by the factors of the row's two norms.
 *
 * @param hidden x [width].
 */
export function screenErrors(hidden: Float32Array): ScreenErrors {
  let squares = 0;
  let largest = 0;
  for (const value of hidden) {
    squares += value * value;
    largest = Math.max(largest, Math.abs(value));
  }
  const norm = Math.sqrt(squares) * (1 + 1e-6);
  // x̂ is within half a step of x; a step is largest / 8128. One percent more covers the rounding of x · s.
  const inputError = Math.sqrt(hidden.length) * (largest / 8128) * 0.51;
  // Eight series of length/8 products and sums, and the sums of the eight. Each step rounds by at most half
  // an ulp.
  const gamma = (hidden.length / 8 + 8) * 2 ** -24;
  return { fromLost: norm + inputError, fromSize: inputError + gamma * norm };
}
