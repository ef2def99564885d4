import { type Kernels, type TernaryForm, ternaryKernel, ternaryScratchBytes } from "./kernels.js";
import type { Memories } from "./memory.js";

/** Runs the ternary product on operands of its own: is it right, and how fast is it? */
export interface ProductTrial {
  /** Whether known sums come out, for one token and for several. */
  correct(kernels: Kernels, form: TernaryForm): boolean;
  /** Milliseconds of one product: the best seen in about so many, while the engine optimises the function. */
  time(kernels: Kernels, form: TernaryForm, forMilliseconds: number): number;
  free(): void;
}

/** A product small enough to check by hand and large enough to reach every path: leftovers of rows and of tokens. */
const rows = 11;
const cols = 1280;
const tokens = 5;

/** Shapes of the timed product: a few hundred kilobytes, so that it runs from the second-level cache. */
const timedRows = 256;
const timedCols = 2560;

/** Takes half a megabyte of region 0 until `free`. */
export function createProductTrial(memories: Memories): ProductTrial {
  const region = 0;
  const take = (bytes: number): number => memories.allocate(region, bytes, "the self-test");
  const view = (address: number, bytes: number): Uint8Array<SharedArrayBuffer> =>
    memories.view({ region, address }, bytes);
  const weights = take((timedRows * timedCols) / 4);
  const activations = take(tokens * timedCols);
  const records = take(tokens * 8);
  const output = take(tokens * timedRows * 4);
  const scratch = take(ternaryScratchBytes);

  const codes = view(weights, (timedRows * timedCols) / 4);
  const x = view(activations, tokens * timedCols);
  fillOperands(codes, x);
  const signed = (i: number): number => ((x[i] ?? 0) << 24) >> 24;

  const recordView = view(records, tokens * 8);
  const recordData = new DataView(recordView.buffer, recordView.byteOffset, recordView.byteLength);
  for (let t = 0; t < tokens; t += 1) {
    let sum = 0;
    for (let k = 0; k < cols; k += 1) sum += signed(t * cols + k);
    recordData.setFloat32(t * 8, 1, true);
    recordData.setInt32(t * 8 + 4, sum, true);
  }

  function expected(t: number, r: number): number {
    let sum = 0;
    for (let k = 0; k < cols; k += 1) {
      const within = k % 128;
      const byte = codes[(r * cols) / 4 + Math.floor(k / 128) * 32 + (within % 32)] ?? 0;
      sum += (((byte >> (6 - 2 * Math.floor(within / 32))) & 3) - 1) * signed(t * cols + k);
    }
    return sum;
  }

  return {
    correct(kernels, form): boolean {
      const multiply = ternaryKernel(kernels, form);
      for (const count of [tokens, 1]) {
        const bytes = count * rows * 4;
        const result = view(output, bytes);
        result.fill(0xff);
        multiply(weights, cols, 0, rows, activations, cols, records, count, output, rows * 4, scratch, 1, 0);
        const data = new DataView(result.buffer, result.byteOffset, bytes);
        for (let t = 0; t < count; t += 1) {
          for (let r = 0; r < rows; r += 1) {
            if (data.getFloat32((t * rows + r) * 4, true) !== expected(t, r)) return false;
          }
        }
      }
      return true;
    },
    time(kernels, form, forMilliseconds): number {
      const multiply = ternaryKernel(kernels, form);
      const [n, k, yStride] = [timedRows, timedCols, timedRows * 4];
      return bestTime(forMilliseconds, () =>
        multiply(weights, k, 0, n, activations, k, records, 1, output, yStride, scratch, 1, 0),
      );
    },
    free(): void {
      for (const address of [weights, activations, records, output, scratch]) memories.free(region, address);
    },
  };
}

/** The least milliseconds that a call takes, seen in about so many. */
export function bestTime(forMilliseconds: number, call: () => void): number {
  const started = performance.now();
  let best = Infinity;
  for (let now = started; now - started < forMilliseconds;) {
    call();
    const after = performance.now();
    best = Math.min(best, after - now);
    now = after;
  }
  return best;
}

/** Several trials as one: correct if all are; their times together, each measured for so long. */
export function allTrials(trials: readonly ProductTrial[]): ProductTrial {
  return {
    correct: (kernels, form) => trials.every((trial) => trial.correct(kernels, form)),
    time: (kernels, form, forMilliseconds) =>
      trials.reduce((sum, trial) => sum + trial.time(kernels, form, forMilliseconds), 0),
    free: () => trials.forEach((trial) => trial.free()),
  };
}

/** Whole numbers below a bound, the same on every host: a small generator (Lehmer, 31 bits). */
export function createOperandNumbers(): (bound: number) => number {
  let state = 20_240_229;
  return (bound) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % bound;
  };
}

function fillOperands(codes: Uint8Array, x: Uint8Array): void {
  const next = createOperandNumbers();
  for (let i = 0; i < codes.length; i += 1)
    codes[i] = next(3) | (next(3) << 2) | (next(3) << 4) | (next(3) << 6);
  // The extremes first: they are where an instruction that saturates or wraps would show.
  for (let i = 0; i < x.length; i += 1) x[i] = i < 128 ? 0x80 : i < 256 ? 0x7f : next(256);
}
