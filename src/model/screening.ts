import type { HeadScreen } from "../packing/screen.js";
import type { Kernels } from "../wasm/kernels.js";
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
   * @param logits where the approximate logits lie, f32 [rows]: replaced by the exact logits of the candidates, and −Infinity
   *   elsewhere. They lie with their pass, because sessions that take turns are screened at the same time.
   * @param hidden where the normed hidden state lies, f32 [cols], in the screen's region.
   * @returns the logits, where they lie.
   */
  exact(logits: Place, hidden: Place, need: LargestLogits): Promise<Float32Array>;
}

export function createScreening(
  memories: Memories,
  kernels: () => Kernels,
  screen: HeadScreen,
  rows: FileRows,
): Screening {
  const { matrix } = screen;
  const { region } = matrix;
  const take = (): number => memories.allocate(region, matrix.rows * 4, "screening the output head");
  const [lower, upper, found] = [take(), take(), take()];

  function floats(place: Place, length: number): Float32Array {
    const bytes = memories.view(place, length * 4);
    return new Float32Array(bytes.buffer, bytes.byteOffset, length);
  }

  /** Fills the bounds of the first `count` rows; returns the largest lower one. */
  function bound(approximate: Place, x: Float32Array, count: number): number {
    let squares = 0;
    let largest = 0;
    for (const value of x) {
      squares += value * value;
      largest = Math.max(largest, Math.abs(value));
    }
    const norm = Math.sqrt(squares) * (1 + 1e-6);
    // x̂ is within half a step of x, a step being largest / 8128; a hundredth more covers the rounding of x · s.
    const inputError = Math.sqrt(x.length) * (largest / 8128) * 0.51;
    // Eight series of length/8 products and sums, and the sums of the eight: each step at most half an ulp.
    const gamma = (x.length / 8 + 8) * 2 ** -24;
    // ‖w − ŵ‖·‖x‖ + (‖w‖ + ‖w − ŵ‖)·‖x − x̂‖ + γ·‖w‖·‖x‖, by what multiplies the two norms of a row.
    const [fromLost, fromSize] = [norm + inputError, inputError + gamma * norm];
    const { address } = approximate;
    return kernels().screen_bounds(address, screen.boundsAddress, count, fromLost, fromSize, lower, upper);
  }

  return {
    async exact(place, hidden, need): Promise<Float32Array> {
      const count = Math.min(matrix.rows, need.below ?? matrix.rows);
      const greatest = bound(place, floats(hidden, matrix.cols), count);
      const floor =
        need.count === 1 ? greatest : largestAt(floats({ region, address: lower }, count), need.count);
      const candidates = kernels().screen_collect(upper, count, floor, found);
      const bytes = memories.view({ region, address: found }, candidates * 4);
      const wanted = new Set(new Int32Array(bytes.buffer, bytes.byteOffset, candidates));
      for (const row of need.always) if (row < count) wanted.add(row);
      const ids = [...wanted];
      const values = await rows.multiply(ids, hidden.address);
      const logits = floats(place, matrix.rows);
      logits.fill(-Infinity);
      ids.forEach((row, index) => (logits[row] = values[index] ?? 0));
      return logits;
    },
  };
}

/** The k-th largest of the values; −Infinity where there are fewer. A heap of k, whose least is at the top. */
function largestAt(values: Float32Array, k: number): number {
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
