import type { HeadScreen } from "../packing/screen.js";
import type { Memories, Place } from "../wasm/memory.js";
import type { FileRows } from "./file-rows.js";

/** Which logits a caller needs: of all tokens, or of enough to know the `count` largest, and of those in `always`. */
export type LogitsNeed = "all" | LargestLogits;

export interface LargestLogits {
  readonly count: number;
  readonly always: Iterable<number>;
  /** Rows from here on are no tokens and do not count; left out, all rows do. */
  readonly below?: number;
}

/**
 * Exact logits of the tokens that can be among the largest, from approximate ones with proven bounds.
 *
 * With ŵ the int8 row, x̂ the 14-bit input, and a = Σ ŵ·x̂ the approximation, Cauchy and Schwarz bound what the exact kernel
 * would give, whatever the numbers are:
 *
 *   |w·x − a| ≤ ‖w − ŵ‖·‖x‖ + ‖ŵ‖·‖x − x̂‖ + γ·‖w‖·‖x‖
 *
 * where γ covers the f32 roundings of the exact kernel. The k-th largest lower bound is a floor for the k-th largest logit;
 * only rows whose upper bound reaches it are scored. docs/NUMERICS.md has the derivation.
 */
export interface Screening {
  /**
   * @param approximate where the approximate logits lie, f32 [rows].
   * @param hidden where the normed hidden state lies, f32 [cols], in the screen's region.
   * @returns [rows]: the exact logits of the candidates and −Infinity elsewhere; overwritten by the next call.
   */
  exact(approximate: Place, hidden: Place, need: LargestLogits): Promise<Float32Array>;
}

export function createScreening(memories: Memories, screen: HeadScreen, rows: FileRows): Screening {
  const { matrix } = screen;
  const count = matrix.rows;
  const logits = new Float32Array(count);
  const lower = new Float64Array(count);
  const upper = new Float64Array(count);

  function floats(place: Place, length: number): Float32Array {
    const bytes = memories.view(place, length * 4);
    return new Float32Array(bytes.buffer, bytes.byteOffset, length);
  }

  /** Fills `lower` and `upper`. */
  function bound(approximate: Float32Array, x: Float32Array): void {
    let squares = 0;
    let largest = 0;
    for (const value of x) {
      squares += value * value;
      largest = Math.max(largest, Math.abs(value));
    }
    const norm = Math.sqrt(squares) * (1 + 1e-9);
    // x̂ is within half a step of x, a step being largest / 8128; a hundredth more covers the rounding of x · s.
    const inputError = Math.sqrt(x.length) * (largest / 8128) * 0.51;
    // Eight series of length/8 products and sums, and the sums of the eight: each step at most half an ulp.
    const gamma = (x.length / 8 + 8) * 2 ** -24;
    const bounds = floats({ region: matrix.region, address: screen.boundsAddress }, count * 2);
    for (let row = 0; row < count; row += 1) {
      const a = approximate[row] ?? 0;
      const lost = bounds[2 * row] ?? 0;
      const size = bounds[2 * row + 1] ?? 0;
      // The last term is the rounding of the approximation itself to f32, twice over.
      const error = lost * norm + (size + lost) * inputError + gamma * size * norm + Math.abs(a) * 2 ** -21;
      lower[row] = a - error;
      upper[row] = a + error;
    }
  }

  return {
    async exact(approximate, hidden, need): Promise<Float32Array> {
      bound(floats(approximate, count), floats(hidden, matrix.cols));
      const end = Math.min(count, need.below ?? count);
      const floor = largestAt(lower.subarray(0, end), need.count);
      const always = new Set(need.always);
      const candidates: number[] = [];
      for (let row = 0; row < end; row += 1) {
        // Written so that a NaN is a candidate, too.
        if (!((upper[row] ?? 0) < floor) || always.has(row)) candidates.push(row);
      }
      const values = await rows.multiply(candidates, hidden.address);
      logits.fill(-Infinity);
      candidates.forEach((row, index) => (logits[row] = values[index] ?? 0));
      return logits;
    },
  };
}

/** The k-th largest of the values; −Infinity where there are fewer. A heap of k, whose least is at the top. */
function largestAt(values: Float64Array, k: number): number {
  const heap = new Float64Array(k).fill(-Infinity);
  for (const value of values) {
    if (!(value > (heap[0] ?? Infinity))) continue;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= k) break;
      const right = left + 1;
      const child = right < k && (heap[right] ?? 0) < (heap[left] ?? 0) ? right : left;
      if ((heap[child] ?? 0) >= value) break;
      heap[at] = heap[child] ?? 0;
      at = child;
    }
    heap[at] = value;
  }
  return heap[0] ?? -Infinity;
}
