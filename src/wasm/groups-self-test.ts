import { ternaryGroupsKernel } from "./dot-forms.js";
import { groupScratchBytes, type GroupSize } from "./kernels.js";
import { bestTime, createOperandNumbers, type FormSelfTest, weightAt } from "./matmul-self-test.js";
import type { Memories } from "./memory.js";

/**
 * More groups than a kernel scales at once, a partly filled vector of them, and leftovers of rows and of
 * tokens.
 */
const rows = 7;
const cols = 4480;
const tokens = 3;

/** Shape of the timed matmul: a few hundred kilobytes, so that it runs from the second-level cache. */
const timedRows = 252;
const timedCols = 2560;

/** As createMatmulSelfTest, for ternary weights in groups. Takes half a megabyte of region 0 until `free`. */
export function createGroupsSelfTest(memories: Memories, size: GroupSize): FormSelfTest {
  const region = 0;
  const takeView = (bytes: number): Uint8Array<SharedArrayBuffer> => {
    const address = memories.allocate(region, bytes, "the self-test");
    return memories.view({ region, address }, bytes);
  };
  const floats = (bytes: Uint8Array<SharedArrayBuffer>): Float32Array =>
    new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const groups = cols / size;
  const stride = Math.ceil(groups / 4) * 4;
  const timedStride = timedCols / size;

  const codes = takeView((timedRows * timedCols) / 4);
  const scales = floats(takeView(timedRows * timedStride * 4));
  const x = takeView(tokens * cols);
  const records = floats(takeView(tokens * stride * 8));
  const output = floats(takeView(timedRows * 4 * tokens));
  const scratch = takeView(groupScratchBytes);

  const next = createOperandNumbers();
  for (let i = 0; i < codes.length; i += 1) codes[i] = next(256);
  // The extremes first: an instruction that saturates or wraps shows there.
  for (let i = 0; i < x.length; i += 1) x[i] = i < 128 ? 0x81 : i < 256 ? 0x7f : 1 + next(255) - 128;
  // Powers of two, so that sums are exact in any order.
  for (let i = 0; i < scales.length; i += 1) scales[i] = [0.5, 1, 2][next(3)] ?? 1;
  const sums = new Int32Array(records.buffer, records.byteOffset, records.length);
  const signed = (t: number, k: number): number => ((x[t * cols + k] ?? 0) << 24) >> 24;
  for (let t = 0; t < tokens; t += 1) {
    for (let g = 0; g < stride; g += 1) {
      let sum = 0;
      if (g < groups) for (let k = g * size; k < (g + 1) * size; k += 1) sum += signed(t, k);
      records[t * stride * 2 + g] = g < groups ? ([0.5, 1][g % 2] ?? 1) : 0;
      sums[t * stride * 2 + stride + g] = sum;
    }
  }

  function expected(t: number, r: number): number {
    let sum = 0;
    for (let k = 0; k < cols; k += 1) {
      const g = Math.floor(k / size);
      sum +=
        weightAt(codes, (r * cols) / 4, k) *
        signed(t, k) *
        (scales[r * stride + g] ?? 0) *
        (records[t * stride * 2 + g] ?? 0);
    }
    return sum;
  }
  const addresses = [codes, scales, x, records, output, scratch].map((view) => view.byteOffset);
  const [w = 0, c = 0, q = 0, s = 0, y = 0, work = 0] = addresses;

  return {
    correct(kernels, form): boolean {
      const multiply = ternaryGroupsKernel(kernels, form, size);
      for (const count of [tokens, 1]) {
        output.fill(NaN);
        multiply(w, c, cols, 0, rows, q, s, count, y, rows * 4, work, 1, 0);
        for (let t = 0; t < count; t += 1)
          for (let r = 0; r < rows; r += 1) if (output[t * rows + r] !== expected(t, r)) return false;
      }
      return true;
    },
    time(kernels, form, forMilliseconds): number {
      const multiply = ternaryGroupsKernel(kernels, form, size);
      return bestTime(forMilliseconds, () =>
        multiply(w, c, timedCols, 0, timedRows, q, s, 1, y, timedRows * 4, work, 1, 0),
      );
    },
    free(): void {
      for (const address of addresses) memories.free(region, address);
    },
  };
}
