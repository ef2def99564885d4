import { BitNetError } from "../errors.js";
import { type Kernels, type TernaryForm, ternaryForms, ternaryKernel } from "./kernels.js";
import type { Memories } from "./memory.js";
import type { KernelBuild } from "./kernel-build.js";

/** A product small enough to check by hand and large enough to reach every path: leftovers of rows and of tokens. */
const rows = 11;
const cols = 192;
const tokens = 5;

/**
 * The fastest form of the ternary product that computes known sums correctly on this host.
 *
 * Engines have shipped wrong code for these instructions: Node 20's baseline compiler doubles one relaxed dot product until
 * the function is optimised. So no form is used that has not just been seen to work, in this process.
 *
 * @param wanted use this form or fail, instead of choosing.
 * @throws BitNetError SELF_TEST_FAILED if none works, or the wanted one does not.
 */
export function chooseTernaryForm(
  build: KernelBuild,
  kernels: Kernels,
  memories: Memories,
  wanted?: TernaryForm,
): TernaryForm {
  const candidates: readonly TernaryForm[] =
    wanted !== undefined ? [wanted] : build === "relaxed" ? ternaryForms : ["plain"];
  const bench = createTrial(memories);
  try {
    const working = candidates.filter(
      (form) => !(build === "simd128" && form !== "plain") && bench.correct(kernels, form),
    );
    const [only, ...others] = working;
    if (only === undefined) {
      throw new BitNetError(
        "SELF_TEST_FAILED",
        `The ${build} kernels (${candidates.join(", ")}) compute wrong sums on this JavaScript engine; update the runtime`,
        { details: { build, forms: candidates } },
      );
    }
    if (others.length === 0) return only;
    return working
      .map((form) => ({ form, milliseconds: bench.time(kernels, form) }))
      .reduce((best, trial) => (trial.milliseconds < best.milliseconds ? trial : best)).form;
  } finally {
    bench.free();
  }
}

interface Trial {
  correct(kernels: Kernels, form: TernaryForm): boolean;
  time(kernels: Kernels, form: TernaryForm): number;
  free(): void;
}

/** Shapes of the timed product: a few hundred kilobytes, so that it runs from the second-level cache. */
const timedRows = 256;
const timedCols = 2560;
const timedMilliseconds = 10;

function createTrial(memories: Memories): Trial {
  const region = 0;
  const weights = memories.allocate(region, (timedRows * timedCols) / 4, "the self-test");
  const activations = memories.allocate(region, tokens * timedCols, "the self-test");
  const records = memories.allocate(region, tokens * 8, "the self-test");
  const output = memories.allocate(region, tokens * timedRows * 4, "the self-test");
  const view = (address: number, bytes: number): Uint8Array<SharedArrayBuffer> =>
    memories.view({ region, address }, bytes);

  // A small generator of its own (Lehmer, 31 bits): the same operands on every host.
  let state = 20_240_229;
  const next = (bound: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % bound;
  };
  const codes = view(weights, (timedRows * timedCols) / 4);
  for (let i = 0; i < codes.length; i += 1)
    codes[i] = next(3) | (next(3) << 2) | (next(3) << 4) | (next(3) << 6);
  const x = view(activations, tokens * timedCols);
  // The extremes first: they are where an instruction that saturates or wraps would show.
  for (let i = 0; i < x.length; i += 1) x[i] = i < 64 ? 0x80 : i < 128 ? 0x7f : next(256);

  const sums = new Int32Array(tokens);
  const signed = (i: number): number => ((x[i] ?? 0) << 24) >> 24;
  for (let t = 0; t < tokens; t += 1)
    for (let k = 0; k < cols; k += 1) sums[t] = (sums[t] ?? 0) + signed(t * cols + k);
  const recordView = view(records, tokens * 8);
  const recordData = new DataView(recordView.buffer, recordView.byteOffset, recordView.byteLength);
  for (let t = 0; t < tokens; t += 1) {
    recordData.setFloat32(t * 8, 1, true);
    recordData.setInt32(t * 8 + 4, sums[t] ?? 0, true);
  }

  function expected(t: number, r: number): number {
    let sum = 0;
    for (let k = 0; k < cols; k += 1) {
      const block = Math.floor(k / 64);
      const within = k % 64;
      const byte = codes[(r * cols) / 4 + block * 16 + (within % 16)] ?? 0;
      sum += (((byte >> (2 * Math.floor(within / 16))) & 3) - 1) * signed(t * cols + k);
    }
    return sum;
  }

  return {
    correct(kernels, form): boolean {
      const multiply = ternaryKernel(kernels, form);
      for (const count of [tokens, 1]) {
        const bytes = count * rows * 4;
        view(output, bytes).fill(0xff);
        multiply(weights, cols, 0, rows, activations, cols, records, count, output, rows * 4, 1, 0);
        const result = view(output, bytes);
        const data = new DataView(result.buffer, result.byteOffset, bytes);
        for (let t = 0; t < count; t += 1) {
          for (let r = 0; r < rows; r += 1) {
            if (data.getFloat32((t * rows + r) * 4, true) !== expected(t, r)) return false;
          }
        }
      }
      return true;
    },
    time(kernels, form): number {
      const multiply = ternaryKernel(kernels, form);
      const run = (): number => {
        const begin = performance.now();
        multiply(
          weights,
          timedCols,
          0,
          timedRows,
          activations,
          timedCols,
          records,
          1,
          output,
          timedRows * 4,
          1,
          0,
        );
        return performance.now() - begin;
      };
      // The best of some milliseconds: the first calls run unoptimised code, and other programs only ever slow it down.
      let best = run();
      for (let spent = best; spent < timedMilliseconds;) {
        const once = run();
        spent += once;
        best = Math.min(best, once);
      }
      return best;
    },
    free(): void {
      for (const address of [weights, activations, records, output]) memories.free(region, address);
    },
  };
}
