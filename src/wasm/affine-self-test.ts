import { type AffineKind, affineRowBytes, codeOffset, groupCodeBytes } from "./affine-kinds.js";
import { affineKernel } from "./dot-forms.js";
import { affineScratchBytes } from "./kernels.js";
import { bestTime, createOperandNumbers, type FormSelfTest } from "./matmul-self-test.js";
import type { Memories } from "./memory.js";

/** Leftovers of rows and of tokens beside whole panels and tiles. */
const rows = 13;
const cols = 640;
const tokens = 7;

/** Shape of the timed matmul: a few hundred kilobytes, so that it runs from the second-level cache. */
const timedRows = 248;
const timedCols = 2560;

/** As createMatmulSelfTest, for affine panels. Takes a megabyte of region 0 until `free`. */
export function createAffineSelfTest(memories: Memories, kind: AffineKind): FormSelfTest {
  const region = 0;
  const takeView = (bytes: number): Uint8Array<SharedArrayBuffer> => {
    const address = memories.allocate(region, bytes, "the self-test");
    return memories.view({ region, address }, bytes);
  };
  const floats = (bytes: Uint8Array): Float32Array =>
    new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const weights = takeView(timedRows * affineRowBytes(kind, timedCols));
  const x = takeView(Math.max(tokens * cols, timedCols));
  const records = takeView(Math.max(tokens * cols, timedCols));
  const output = takeView(Math.max(timedRows, tokens * rows) * 4);
  const scratch = takeView(affineScratchBytes);

  const operands = fillOperands(kind, { weights, x, records });
  const results = floats(output);
  const addresses = [weights, x, records, output, scratch].map((view) => view.byteOffset);
  const [w = 0, q = 0, s = 0, y = 0, work = 0] = addresses;

  return {
    correct(kernels, form): boolean {
      const multiply = affineKernel(kernels, form, kind.name);
      return [tokens, 1].every((count) => {
        results.fill(NaN);
        multiply(w, cols, 0, rows, q, s, count, y, rows * 4, work, 1, 0);
        return operands.expected(count).every((value, index) => results[index] === value);
      });
    },
    time(kernels, form, forMilliseconds): number {
      const multiply = affineKernel(kernels, form, kind.name);
      return bestTime(forMilliseconds, () =>
        multiply(w, timedCols, 0, timedRows, q, s, 1, y, timedRows * 4, work, 1, 0),
      );
    },
    free(): void {
      for (const address of addresses) memories.free(region, address);
    },
  };
}

/** Fills the operands of the small matmul, and computes its results in plain code. */
function fillOperands(
  kind: AffineKind,
  {
    weights,
    x,
    records,
  }: { readonly weights: Uint8Array; readonly x: Uint8Array; readonly records: Uint8Array },
): { expected(count: number): readonly number[] } {
  const next = createOperandNumbers();
  const view = (bytes: Uint8Array): DataView =>
    new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [weightData, recordData] = [view(weights), view(records)];
  const { bits, group, minima } = kind;
  const largest = bits === 6 ? 63 : 255;
  const codeBytes = groupCodeBytes(kind);
  const groupBytes = codeBytes + (minima ? 64 : 32);
  const rowGroups = cols / group;
  // Powers of two, so that sums are exact in any order.
  const power = (): number => [0.5, 1, 2][next(3)] ?? 1;
  for (let panel = 0; panel < Math.ceil(rows / 8); panel += 1) {
    for (let g = 0; g < rowGroups; g += 1) {
      const at = (panel * rowGroups + g) * groupBytes;
      // The extremes first: an instruction that saturates or wraps shows there.
      for (let i = 0; i < codeBytes; i += 1) weights[at + i] = g < 4 ? largest : next(largest + 1);
      for (let i = 0; i < (minima ? 16 : 8); i += 1)
        weightData.setFloat32(at + codeBytes + 4 * i, power(), true);
    }
  }
  for (let k = 0; k < tokens * cols; k += 1) {
    const inRow = k % cols;
    x[k] = inRow < 32 ? 0x81 : inRow < 64 ? 0x7f : 1 + next(255) - 128;
  }
  const signed = (index: number): number => ((x[index] ?? 0) << 24) >> 24;
  const sumOf = (begin: number, count: number): number => {
    let sum = 0;
    for (let k = begin; k < begin + count; k += 1) sum += signed(k);
    return sum;
  };
  for (let at = 0; at < tokens * cols; at += 32) {
    const scale = [0.5, 1][next(2)] ?? 1;
    const whole = sumOf(at, 32);
    for (const begin of [at, at + 16]) {
      const sum = sumOf(begin, 16);
      recordData.setFloat32(begin, scale, true);
      recordData.setFloat32(begin + 4, scale * sum, true);
      recordData.setInt32(begin + 8, -sum, true);
    }
    recordData.setFloat32(at + 12, scale * whole, true);
    recordData.setInt32(at + 28, -whole, true);
  }

  function result(t: number, r: number): number {
    let total = 0;
    for (let g = 0; g < rowGroups; g += 1) {
      const at = ((r >> 3) * rowGroups + g) * groupBytes;
      const numbers = at + codeBytes + 4 * (r & 7);
      const begin = t * cols + g * group;
      let sum = 0;
      for (let i = 0; i < group; i += 1) {
        const step = bits === 4 ? i >> 3 : i >> 2;
        const byte = weights[at + step * 32 + 4 * (r & 7) + (i & 3)] ?? 0;
        const stored = bits === 4 ? (byte >> (i & 4)) & 15 : byte;
        sum += (stored - codeOffset(kind)) * signed(begin + i);
      }
      const scale = recordData.getFloat32(begin - (begin % 32), true);
      total += weightData.getFloat32(numbers, true) * scale * sum;
      if (minima) total -= weightData.getFloat32(numbers + 32, true) * scale * sumOf(begin, group);
    }
    return total;
  }
  const all = Array.from({ length: tokens * rows }, (_, i) => result(Math.floor(i / rows), i % rows));
  return { expected: (count) => all.slice(0, count * rows) };
}
