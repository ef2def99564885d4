import { type DotForm, listedTernaryKernel, ternaryKernel } from "./dot-forms.js";
import { type Kernels, ternaryScratchBytes, transposeScratchBytes } from "./kernels.js";
import type { Memories } from "./memory.js";

/** Runs a matmul on operands of its own, to check it and to time it. */
export interface FormSelfTest {
  /** Whether known sums come out, for one token and for several. */
  correct(kernels: Kernels, form: DotForm): boolean;
  /** Shortest time of one matmul in ms, while the engine optimises it for about `forMilliseconds`. */
  time(kernels: Kernels, form: DotForm, forMilliseconds: number): number;
  free(): void;
}

/** The self-test of ternary rows, whose rows may be listed and whose columns may be skipped. */
export interface MatmulSelfTest extends FormSelfTest {
  /** Whether the matmul by columns gives the same bits as the matmul by rows. */
  columnsCorrect(kernels: Kernels, form: DotForm): boolean;
  /** As `correct`, for the tiles of several tokens for 256 bits. */
  wideCorrect(kernels: Kernels): boolean;
  /** As `time`, for four tokens: in a form, or by the tiles for 256 bits. */
  timeFour(kernels: Kernels, form: DotForm | "wide", forMilliseconds: number): number;
  /** As `time`, for a matmul of listed rows: all of them. */
  timeListed(kernels: Kernels, form: DotForm, forMilliseconds: number): number;
}

/** Small enough to check in TypeScript, large enough for every path: leftovers of rows and of tokens. */
const rows = 11;
const cols = 1280;
const tokens = 5;

/** Shape of the timed matmul: a few hundred kilobytes, so that it runs from the second-level cache. */
const timedRows = 256;
const timedCols = 2560;

/** Takes half a megabyte of region 0 until `free`. */
export function createMatmulSelfTest(memories: Memories): MatmulSelfTest {
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
    for (let k = 0; k < cols; k += 1) sum += weightAt(codes, (r * cols) / 4, k) * signed(t * cols + k);
    return sum;
  }

  const nonzero = take(cols * 4);
  const list = take(timedRows * 4);
  const listView = view(list, timedRows * 4);
  new Uint32Array(listView.buffer, listView.byteOffset, timedRows).set(
    Array.from({ length: timedRows }, (_, r) => r),
  );

  /** Whether `run` leaves the sums of `count` tokens in `output`. */
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

  const gives = (multiply: Kernels["matmul_ternary_i8_dot_i8"], count: number): boolean =>
    givesSums(count, () =>
      // prettier-ignore
      multiply(weights, cols, 0, rows, activations, cols, records, count, output, rows * 4, scratch, 1, 0),
    );

  return {
    correct(kernels, form): boolean {
      const multiply = ternaryKernel(kernels, form);
      const multiplyListed = listedTernaryKernel(kernels, form);
      return (
        [tokens, 1].every((count) => gives(multiply, count)) &&
        givesSums(1, () =>
          multiplyListed(weights, cols, list, rows, activations, records, output, scratch, 1),
        )
      );
    },
    wideCorrect: (kernels) =>
      [tokens, 4, 3].every((count) => gives(kernels.matmul_ternary_wide_i8_dot_i32, count)),
    timeFour(kernels, form, forMilliseconds): number {
      const multiply =
        form === "wide" ? kernels.matmul_ternary_wide_i8_dot_i32 : ternaryKernel(kernels, form);
      const [n, k, yStride] = [timedRows, timedCols, timedRows * 4];
      return bestTime(forMilliseconds, () =>
        multiply(weights, k, 0, n, activations, k, records, 4, output, yStride, scratch, 1, 0),
      );
    },
    columnsCorrect(kernels, form): boolean {
      const [n, k] = [timedRows, cols];
      const columns = take((n * k) / 4);
      const workspace = take(Math.max(transposeScratchBytes, 16 + n * 6));
      const outputBytes = (): Uint8Array => new Uint8Array(view(output, n * 4));
      try {
        // prettier-ignore
        ternaryKernel(kernels, form)(weights, k, 0, n, activations, k, records, 1, output, n * 4, scratch, 1, 0);
        const byRows = outputBytes();
        kernels.transpose_ternary(weights, n, k, 0, n, columns, workspace);
        const listed = kernels.list_nonzero(activations, k, nonzero);
        // prettier-ignore
        kernels.matmul_ternary_columns_i8(columns, n, 0, n, activations, nonzero, listed, records, output, workspace, 1, 0);
        const byColumns = outputBytes();
        return byRows.every((byte, i) => byte === byColumns[i]);
      } finally {
        for (const address of [columns, workspace]) memories.free(region, address);
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

/**
 * The shortest sample. The clock of a page that is not cross-origin isolated ticks every 0.1 ms: single calls
 * took 0 there, and the first form won.
 */
const sampleMilliseconds = 1;

/**
 * Calls repeatedly for about `forMilliseconds` and returns the shortest time of one call, in ms: the mean of
 * a sample of calls that takes a millisecond.
 *
 * @param clock a clock in ms, for tests.
 */
export function bestTime(
  forMilliseconds: number,
  call: () => void,
  clock: () => number = () => performance.now(),
): number {
  const started = clock();
  let best = Infinity;
  let calls = 1;
  let all = 0;
  let now = started;
  while (now - started < forMilliseconds) {
    for (let i = 0; i < calls; i += 1) call();
    all += calls;
    const after = clock();
    if (after - now >= sampleMilliseconds) best = Math.min(best, (after - now) / calls);
    else calls *= 2;
    now = after;
  }
  return best === Infinity ? (now - started) / all : best;
}

/**
 * Several self-tests as one: correct if all are; the sum of their times, each measured for `forMilliseconds`.
 */
export function allSelfTests(selfTests: readonly FormSelfTest[]): FormSelfTest {
  return {
    correct: (kernels, form) => selfTests.every((test) => test.correct(kernels, form)),
    time: (kernels, form, forMilliseconds) =>
      selfTests.reduce((sum, test) => sum + test.time(kernels, form, forMilliseconds), 0),
    free: () => selfTests.forEach((test) => test.free()),
  };
}

/** The weight of column k in a row of two-bit codes that begins at byte `rowBegin` (weight-formats/i2-s). */
export function weightAt(codes: Uint8Array, rowBegin: number, k: number): number {
  const inBlock = k % 128;
  const byte = codes[rowBegin + Math.floor(k / 128) * 32 + (inBlock % 32)] ?? 0;
  return ((byte >> (6 - 2 * Math.floor(inBlock / 32))) & 3) - 1;
}

/** A generator of whole numbers below a bound, the same on every host (Lehmer, 31 bits). */
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
  // The extremes first: an instruction that saturates or wraps shows there.
  for (let i = 0; i < x.length; i += 1) x[i] = i < 128 ? 0x80 : i < 256 ? 0x7f : next(256);
}
