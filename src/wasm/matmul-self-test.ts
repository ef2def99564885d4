import {
  type Kernels,
  listedTernaryKernel,
  transposeScratchBytes,
  type TernaryForm,
  ternaryKernel,
  ternaryScratchBytes,
} from "./kernels.js";
import type { Memories } from "./memory.js";

/** Runs a product on operands of its own: is it right, and how fast is it? */
export interface FormTrials {
  /** Whether known sums come out, for one token and for several. */
  correct(kernels: Kernels, form: TernaryForm): boolean;
  /** Milliseconds of one product: the best seen in about so many, while the engine optimises the function. */
  time(kernels: Kernels, form: TernaryForm, forMilliseconds: number): number;
  free(): void;
}

/** The same for the ternary product, of which rows may be listed and columns left out. */
export interface ProductTrial extends FormTrials {
  /** Whether the product by columns gives the same bits as the product by rows. */
  columnsCorrect(kernels: Kernels, form: TernaryForm): boolean;
  /** Milliseconds of one product of listed rows, all of them, as `time`. */
  timeListed(kernels: Kernels, form: TernaryForm, forMilliseconds: number): number;
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

  const nonzero = take(cols * 4);
  const list = take(timedRows * 4);
  const listView = view(list, timedRows * 4);
  new Uint32Array(listView.buffer, listView.byteOffset, timedRows).set(
    Array.from({ length: timedRows }, (_, r) => r),
  );

  /** Whether `run` leaves the sums of so many tokens in `output`. */
  function givesSums(count: number, run: () => void): boolean {
    const bytes = count * rows * 4;
    const result = view(output, bytes);
    result.fill(0xff);
    run();
    const data = new DataView(result.buffer, result.byteOffset, bytes);
    for (let t = 0; t < count; t += 1) {
      for (let r = 0; r < rows; r += 1) {
        if (data.getFloat32((t * rows + r) * 4, true) !== expected(t, r)) return false;
      }
    }
    return true;
  }

  return {
    correct(kernels, form): boolean {
      const multiply = ternaryKernel(kernels, form);
      const multiplyListed = listedTernaryKernel(kernels, form);
      return (
        [tokens, 1].every((count) =>
          givesSums(count, () =>
            multiply(
              weights,
              cols,
              0,
              rows,
              activations,
              cols,
              records,
              count,
              output,
              rows * 4,
              scratch,
              1,
              0,
            ),
          ),
        ) &&
        givesSums(1, () =>
          multiplyListed(weights, cols, list, rows, activations, records, output, scratch, 1),
        )
      );
    },
    columnsCorrect(kernels, form): boolean {
      const [n, k] = [timedRows, cols];
      const columns = take((n * k) / 4);
      const turning = take(Math.max(transposeScratchBytes, 16 + n * 6));
      const outputBytes = (): Uint8Array => new Uint8Array(view(output, n * 4));
      try {
        ternaryKernel(kernels, form)(
          weights,
          k,
          0,
          n,
          activations,
          k,
          records,
          1,
          output,
          n * 4,
          scratch,
          1,
          0,
        );
        const byRows = outputBytes();
        kernels.transpose_ternary(weights, n, k, 0, n, columns, turning);
        const listed = kernels.list_nonzero(activations, k, nonzero);
        // prettier-ignore
        kernels.matmul_ternary_columns_i8(columns, n, 0, n, activations, nonzero, listed, records, output, turning, 1, 0);
        const byColumns = outputBytes();
        return byRows.every((byte, i) => byte === byColumns[i]);
      } finally {
        for (const address of [columns, turning]) memories.free(region, address);
      }
    },
    timeListed(kernels, form, forMilliseconds): number {
      const multiply = listedTernaryKernel(kernels, form);
      const [n, k] = [timedRows, timedCols];
      return bestTime(forMilliseconds, () =>
        multiply(weights, k, list, n, activations, records, output, scratch, 1),
      );
    },
    time(kernels, form, forMilliseconds): number {
      const multiply = ternaryKernel(kernels, form);
      const [n, k, yStride] = [timedRows, timedCols, timedRows * 4];
      return bestTime(forMilliseconds, () =>
        multiply(weights, k, 0, n, activations, k, records, 1, output, yStride, scratch, 1, 0),
      );
    },
    free(): void {
      for (const address of [list, nonzero, weights, activations, records, output, scratch])
        memories.free(region, address);
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
export function allTrials(trials: readonly FormTrials[]): FormTrials {
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
