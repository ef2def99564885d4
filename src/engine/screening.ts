import type { Memories, Location } from "../wasm/memory.js";
import type { FileRows } from "./file-rows.js";
import { screenBlockCount, screenBlockRows, type WorkPlan } from "../graph/work-plan.js";

/** The logits that a caller needs: of all tokens, or of enough tokens to know the `count` largest. */
export type LogitsNeed = "all" | LargestLogits;

export interface LargestLogits {
  readonly count: number;
  /** Tokens whose logits are needed in any case. */
  readonly always: Iterable<number>;
  /** Number of tokens: rows of the head from here on do not count. Default: all rows. */
  readonly below?: number;
}

/** Logits after one token. */
export interface Logits {
  /** [vocabSize] */
  readonly values: Float32Array;
  /**
   * The tokens that have logits, ascending; all others have −Infinity. Undefined if all tokens have logits.
   */
  readonly among?: readonly number[] | undefined;
}

/**
 * Exact logits of the tokens that can be among the largest, from approximate ones with proven bounds.
 *
 * With ŵ the int8 row, x̂ the 14-bit input, and a = Σ ŵ·x̂ the approximation, the Cauchy–Schwarz inequality
 * bounds the exact kernel's result for all numbers (safe screening):
 *
 *   |w·x − a| ≤ ‖w − ŵ‖·‖x‖ + ‖ŵ‖·‖x − x̂‖ + γ·‖w‖·‖x‖
 *
 * where γ covers the f32 roundings of the exact kernel. The k-th largest lower bound is a floor for the k-th
 * largest logit; only rows whose upper bound reaches it are scored. docs/NUMERICS.md has the derivation.
 *
 * Each worker computes the bounds of its rows while they are in its cache, and the bounds of blocks of rows
 * (`screenErrors`, the kernel screen_rows). The caller's thread only looks at the blocks, which takes
 * microseconds.
 */
export interface Screening {
  /**
   * @param pass the buffers of the pass: passes at the same time have different ones.
   * @param row index of the row in its pass.
   * @param bounds.upper the pass's upper bounds, f32 [rows].
   * @param bounds.blocks the bounds of blocks, [screenBlockCount(rows)] {f32 lower, f32 upper}.
   * @param hidden the normed hidden state, f32 [cols], in the screen's region.
   * @returns logits that the next call for the same pass and row overwrites.
   */
  exact(
    pass: WorkPlan,
    row: number,
    bounds: { readonly upper: Location; readonly blocks: Location },
    hidden: Location,
    need: LargestLogits,
  ): Promise<Logits>;
}

/**
 * Whether screening finds the `count` largest logits of a head of `rows` rows. For more, the whole head is
 * faster.
 */
export function screensLargest(rows: number, count: number): boolean {
  return count <= Math.min(maxCandidates, screenBlockCount(rows) / 2);
}

/** Maximum of the largest logits that are scored row by row; above it, all logits are as fast. */
const maxCandidates = 512;

interface Given extends Logits {
  among: readonly number[];
}

export function createScreening(memories: Memories, vocabSize: number, rows: FileRows): Screening {
  /** For each row of each pass the logits of the last call: −Infinity except for its tokens. */
  const given = new WeakMap<WorkPlan, Map<number, Given>>();

  function givenFor(pass: WorkPlan, row: number): Given {
    const rows = given.get(pass) ?? new Map<number, Given>();
    given.set(pass, rows);
    const logits = rows.get(row) ?? { values: new Float32Array(vocabSize).fill(-Infinity), among: [] };
    rows.set(row, logits);
    return logits;
  }

  function floats(location: Location, length: number): Float32Array {
    const bytes = memories.view(location, length * 4);
    return new Float32Array(bytes.buffer, bytes.byteOffset, length);
  }

  /** The tokens below `count` whose logit can reach the floor, ascending. A bound of NaN excludes nothing. */
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
      // The k-th largest lower bound of blocks is at most that of all rows, and close to it if there are many
      // blocks.
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

/**
 * The k-th largest lower bound of some blocks; −Infinity for fewer than k blocks. Uses a min-heap of size k.
 */
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
