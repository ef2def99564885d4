import type { Memories, Place } from "../wasm/memory.js";
import type { FileRows } from "./file-rows.js";
import { screenBlockCount, screenBlockRows, type WorkPlan } from "../graph/work-plan.js";

/** Which logits a caller needs: of all tokens, or of enough to know the `count` largest, and of those in `always`. */
export type LogitsNeed = "all" | LargestLogits;

export interface LargestLogits {
  readonly count: number;
  readonly always: Iterable<number>;
  /** Rows from here on are no tokens and do not count; left out, all rows do. */
  readonly below?: number;
}

/** Logits after one token. */
export interface Logits {
  /** [vocabSize] */
  readonly values: Float32Array;
  /** The tokens that have logits, ascending, where the others have −Infinity for not having been needed. */
  readonly among?: readonly number[] | undefined;
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
 *
 * The team works the bounds out, each member those of its rows while they are in its cache, and sums them up by blocks of rows
 * (`screenErrors`, the kernel screen_rows). What is left for the caller's thread is to look at the blocks: microseconds.
 */
export interface Screening {
  /**
   * @param pass what passes that may run at the same time differ in.
   * @param row which row of its pass it is.
   * @param bounds where the pass left the upper bounds, f32 [rows], and those of the blocks, {lower, upper} f32 [blocks].
   * @param hidden where the normed hidden state lies, f32 [cols], in the screen's region.
   * @returns good until the next call for the same pass and row.
   */
  exact(
    pass: WorkPlan,
    row: number,
    bounds: { readonly upper: Place; readonly blocks: Place },
    hidden: Place,
    need: LargestLogits,
  ): Promise<Logits>;
}

/** Whether the blocks of a head of so many rows tell which can be the largest so many; for more, the whole head is quicker. */
export function screensLargest(rows: number, count: number): boolean {
  return count <= Math.min(mostCandidates, screenBlockCount(rows) / 2);
}

/** The most candidates that are looked up row by row; above it, all logits are as quick. */
const mostCandidates = 512;

/**
 * What a hidden state makes of the norms of a row's errors: ‖w − ŵ‖·fromLost + ‖w‖·fromSize bounds the error of its logit.
 *
 * ‖w − ŵ‖·‖x‖ + (‖w‖ + ‖w − ŵ‖)·‖x − x̂‖ + γ·‖w‖·‖x‖, by what multiplies the two norms of a row.
 */
export function screenErrors(hidden: Float32Array): { readonly fromLost: number; readonly fromSize: number } {
  let squares = 0;
  let largest = 0;
  for (const value of hidden) {
    squares += value * value;
    largest = Math.max(largest, Math.abs(value));
  }
  const norm = Math.sqrt(squares) * (1 + 1e-6);
  // x̂ is within half a step of x, a step being largest / 8128; a hundredth more covers the rounding of x · s.
  const inputError = Math.sqrt(hidden.length) * (largest / 8128) * 0.51;
  // Eight series of length/8 products and sums, and the sums of the eight: each step at most half an ulp.
  const gamma = (hidden.length / 8 + 8) * 2 ** -24;
  return { fromLost: norm + inputError, fromSize: inputError + gamma * norm };
}

interface Given extends Logits {
  among: readonly number[];
}

export function createScreening(memories: Memories, vocabSize: number, rows: FileRows): Screening {
  /** For each row of each pass −Infinity but for the tokens of the last call. */
  const given = new WeakMap<WorkPlan, Map<number, Given>>();

  function givenFor(pass: WorkPlan, row: number): Given {
    const rows = given.get(pass) ?? new Map<number, Given>();
    given.set(pass, rows);
    const logits = rows.get(row) ?? { values: new Float32Array(vocabSize).fill(-Infinity), among: [] };
    rows.set(row, logits);
    return logits;
  }

  function floats(place: Place, length: number): Float32Array {
    const bytes = memories.view(place, length * 4);
    return new Float32Array(bytes.buffer, bytes.byteOffset, length);
  }

  /** The tokens below `count` whose logit can reach the floor, ascending; NaN can be anything. */
  function collect(upper: Float32Array, blocks: Float32Array, count: number, floor: number): number[] {
    const found: number[] = [];
    for (let block = 0; block * screenBlockRows < count; block += 1) {
      if ((blocks[2 * block + 1] ?? 0) < floor) continue;
      const end = Math.min(count, (block + 1) * screenBlockRows);
      for (let row = block * screenBlockRows; row < end; row += 1)
        if (!((upper[row] ?? 0) < floor)) found.push(row);
    }
    return found;
  }

  return {
    async exact(pass, row, bounds, hidden, need): Promise<Logits> {
      const count = Math.min(vocabSize, need.below ?? vocabSize);
      const blocks = floats(bounds.blocks, 2 * screenBlockCount(count));
      // The k-th largest of the blocks' lower bounds is at most that of all rows, and next to it where blocks are many.
      const floor = largestAt(blocks, need.count);
      const wanted = new Set(collect(floats(bounds.upper, count), blocks, count, floor));
      for (const id of need.always) if (id < count) wanted.add(id);
      const among = [...wanted].sort((a, b) => a - b);
      const values = await rows.multiply(among, hidden.address);
      const logits = givenFor(pass, row);
      for (const id of logits.among) logits.values[id] = -Infinity;
      among.forEach((id, index) => {
        logits.values[id] = values[index] ?? 0;
      });
      logits.among = among;
      return logits;
    },
  };
}

/** The k-th largest lower bound of some blocks; −Infinity where there are fewer. A heap of k, whose least is at the top. */
function largestAt(blocks: Float32Array, k: number): number {
  const heap = new Float64Array(k).fill(-Infinity);
  for (let i = 0; i < blocks.length; i += 2) {
    const value = blocks[i] ?? NaN;
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
