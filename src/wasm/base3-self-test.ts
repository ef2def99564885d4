import { base3GroupsKernel, base3Kernel, listedBase3Kernel } from "./dot-forms.js";
import { groupScratchBytes, ternaryScratchBytes } from "./kernels.js";
import { bestTime, createOperandNumbers, type FormSelfTest } from "./matmul-self-test.js";
import type { Memories } from "./memory.js";

/**
 * Small enough to check in TypeScript, large enough for every path. There are leftovers of rows and of
 * tokens, and a partly filled block. 16-bit sums are flushed, and groups are scaled more than once.
 */
const rows = 11;
const cols = 2816;
const tokens = 5;

/** Rows of the timed matmul: a few hundred kilobytes, so that it runs from the second-level cache. */
const timedRows = 256;

const blocks = Math.ceil(cols / 160);
const rowBytes = blocks * 32;
const groups = cols / 128;
const groupStride = Math.ceil(groups / 4) * 4;

/** As createMatmulSelfTest, for base-3 rows. Takes half a megabyte of region 0 until `free`. */
export function createBase3SelfTest(memories: Memories): FormSelfTest {
  const { codes, input, take, free } = createOperands(memories);
  const records = take(tokens * 8);
  const output = take(tokens * timedRows * 4);
  const scratch = take(ternaryScratchBytes);
  const list = take(rows * 4);
  const recordData = new DataView(records.buffer, records.byteOffset);
  for (let t = 0; t < tokens; t += 1) {
    recordData.setFloat32(t * 8, 1, true);
    recordData.setInt32(t * 8 + 4, input.sum(t, 0, cols), true);
  }
  new Uint32Array(list.buffer, list.byteOffset, rows).set(Array.from({ length: rows }, (_, r) => r));
  const results = floats(output);
  const expected = (t: number, r: number): number => {
    let sum = 0;
    for (let k = 0; k < cols; k += 1) sum += codes.weight(r, k) * input.value(t, k);
    return sum;
  };
  const [w, x, s, y, work, rowList] = [codes.bytes, input.bytes, records, output, scratch, list].map(
    ({ byteOffset }) => byteOffset,
  ) as [number, number, number, number, number, number];

  return {
    correct(kernels, form): boolean {
      const multiply = base3Kernel(kernels, form);
      const gives = (count: number, run: () => void): boolean => givesSums(results, count, expected, run);
      return (
        [tokens, 1].every((count) =>
          gives(count, () => multiply(w, cols, 0, rows, x, cols, s, count, y, rows * 4, work, 1, 0)),
        ) && gives(1, () => listedBase3Kernel(kernels, form)(w, cols, rowList, rows, x, s, y, work, 1))
      );
    },
    time(kernels, form, forMilliseconds): number {
      const multiply = base3Kernel(kernels, form);
      return bestTime(forMilliseconds, () =>
        multiply(w, cols, 0, timedRows, x, cols, s, 1, y, timedRows * 4, work, 1, 0),
      );
    },
    free,
  };
}

/** The same for base-3 groups. */
export function createBase3GroupsSelfTest(memories: Memories): FormSelfTest {
  const { codes, input, take, free } = createOperands(memories);
  const scales = take(timedRows * groups);
  const records = take(tokens * groupStride * 8);
  const output = take(tokens * timedRows * 4);
  const scratch = take(groupScratchBytes);
  // Powers of two, so that sums are exact in any order: 0.5, 1 and 2 as halves.
  const halves = new Uint16Array(scales.buffer, scales.byteOffset, (timedRows * groups) / 2);
  for (let i = 0; i < halves.length; i += 1) halves[i] = [0x3800, 0x3c00, 0x4000][i % 3] ?? 0;
  const scaleOf = (r: number, g: number): number =>
    [0.5, 1, 2][((r * groups) / 2 + Math.floor(g / 2)) % 3] ?? 0;
  const recordFloats = floats(records);
  const recordSums = new Int32Array(records.buffer, records.byteOffset, recordFloats.length);
  for (let t = 0; t < tokens; t += 1) {
    for (let g = 0; g < groups; g += 1) {
      recordFloats[t * groupStride * 2 + g] = 0.5 + (g % 2) / 2;
      recordSums[t * groupStride * 2 + groupStride + g] = input.sum(t, g * 128, (g + 1) * 128);
    }
  }
  const results = floats(output);
  const expected = (t: number, r: number): number => {
    let sum = 0;
    for (let k = 0; k < cols; k += 1) {
      const g = Math.floor(k / 128);
      sum += codes.weight(r, k) * input.value(t, k) * scaleOf(r, g) * (0.5 + (g % 2) / 2);
    }
    return sum;
  };
  const [w, c, x, s, y, work] = [codes.bytes, scales, input.bytes, records, output, scratch].map(
    ({ byteOffset }) => byteOffset,
  ) as [number, number, number, number, number, number];

  return {
    correct(kernels, form): boolean {
      const multiply = base3GroupsKernel(kernels, form);
      return [tokens, 1].every((count) =>
        givesSums(results, count, expected, () =>
          multiply(w, c, cols, 0, rows, x, s, count, y, rows * 4, work, 1, 0),
        ),
      );
    },
    time(kernels, form, forMilliseconds): number {
      const multiply = base3GroupsKernel(kernels, form);
      return bestTime(forMilliseconds, () =>
        multiply(w, c, cols, 0, timedRows, x, s, 1, y, timedRows * 4, work, 1, 0),
      );
    },
    free,
  };
}

/** Whether `run` leaves the expected sums of `count` tokens in `results`. */
function givesSums(
  results: Float32Array,
  count: number,
  expected: (t: number, r: number) => number,
  run: () => void,
): boolean {
  results.fill(NaN);
  run();
  for (let t = 0; t < count; t += 1)
    for (let r = 0; r < rows; r += 1) if (results[t * rows + r] !== expected(t, r)) return false;
  return true;
}

interface Operands {
  readonly codes: { readonly bytes: Uint8Array; weight(r: number, k: number): number };
  readonly input: {
    readonly bytes: Uint8Array;
    value(t: number, k: number): number;
    sum(t: number, begin: number, end: number): number;
  };
  take(bytes: number): Uint8Array<SharedArrayBuffer>;
  free(): void;
}

/** Random weights and activations in region 0. */
function createOperands(memories: Memories): Operands {
  const region = 0;
  const taken: number[] = [];
  const take = (bytes: number): Uint8Array<SharedArrayBuffer> => {
    const address = memories.allocate(region, bytes, "the self-test");
    taken.push(address);
    return memories.view({ region, address }, bytes);
  };
  const next = createOperandNumbers();
  const codes = take(timedRows * rowBytes + 96);
  for (let byte = 0; byte < timedRows * rowBytes; byte += 1) {
    let number = 0;
    for (let plane = 0; plane < 5; plane += 1) {
      const k = (Math.floor(byte / 32) % blocks) * 160 + plane * 32 + (byte % 32);
      number = number * 3 + (k < cols ? next(3) : 0);
    }
    codes[byte] = Math.ceil((number * 256) / 243) ^ 128;
  }
  const x = take(tokens * cols + 640);
  // The extremes first: an instruction that saturates or wraps shows there.
  for (let i = 0; i < x.length; i += 1) x[i] = i < 160 ? 0x80 : i < 320 ? 0x7f : next(256);
  const value = (t: number, k: number): number => ((x[t * cols + k] ?? 0) << 24) >> 24;
  return {
    codes: {
      bytes: codes,
      weight(r, k): number {
        const inBlock = k % 160;
        let fraction = (codes[r * rowBytes + Math.floor(k / 160) * 32 + (inBlock % 32)] ?? 0) ^ 128;
        for (let plane = Math.floor(inBlock / 32); plane > 0; plane -= 1) fraction = (fraction * 3) & 255;
        return ((fraction * 3) >> 8) - 1;
      },
    },
    input: {
      bytes: x,
      value,
      sum(t, begin, end): number {
        let sum = 0;
        for (let k = begin; k < end; k += 1) sum += value(t, k);
        return sum;
      },
    },
    take,
    free: () => taken.forEach((address) => memories.free(region, address)),
  };
}

function floats(bytes: Uint8Array<SharedArrayBuffer>): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.byteLength / 4));
}
