import type { Kernels } from "#dist/wasm/kernels.js";

/** Returns the address of a named block. */
export type AddressOf = (block: string) => number;

/** Calls kernels on blocks in memory. A returned number belongs to the result. */
export type Way = (kernels: Kernels, at: AddressOf) => unknown;

/** [begin, end) in bytes. */
export type ByteRange = readonly [number, number];

/** The state of memory after a way. */
export interface Outcome {
  readonly returned: number | undefined;
  /** A copy of a block after the call. */
  bytes(block: string): Uint8Array<ArrayBuffer>;
  floats(block: string): Float32Array;
  ints(block: string): Int32Array;
}

/** One use of a kernel: operands, ways to do the same work, and a check of the result. */
export interface KernelCase {
  /** Sizes, for the failure message: "13 × 192 · 5". */
  readonly name: string;
  /** The content of memory before the call, by block name. */
  readonly blocks: Readonly<Record<string, Uint8Array>>;
  /** Blocks that the contract aligns to 16 bytes. The tests also put all other blocks at odd addresses. */
  readonly aligned: readonly string[];
  /**
   * The ranges that may change. All other bytes of memory must stay: inputs, gaps between rows, and
   * everything around.
   */
  readonly writes: Readonly<Record<string, readonly ByteRange[]>>;
  /** Written blocks whose content has no meaning afterwards. */
  readonly scratch?: readonly string[];
  /** The first way is the plain call. The others split the work differently and must give the same bytes. */
  readonly ways: readonly [Way, ...(readonly Way[])];
  /** Compares with the twin. @throws if they differ. */
  check(outcome: Outcome): void;
}

/** A kernel's cases. They are generated on demand, since operands are large. */
export interface KernelTwin {
  cases(): Iterable<KernelCase>;
  /** True if only the relaxed build may call the kernel. */
  readonly onlyInRelaxed?: boolean;
}

/** The bytes of typed arrays, one after another. */
export function bytesOf(
  ...arrays: readonly (Float32Array | Int32Array | Int8Array | Uint8Array | Uint16Array)[]
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(arrays.reduce((sum, array) => sum + array.byteLength, 0));
  let end = 0;
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), end);
    end += array.byteLength;
  }
  return bytes;
}

/** Rows with a stride of `stride` bytes. Junk fills the gaps. The last row has no gap behind it. */
export function stridedRows(
  rows: readonly (Float32Array | Int8Array | Uint8Array)[],
  stride: number,
): Uint8Array<ArrayBuffer> {
  const last = rows.at(-1);
  const bytes = new Uint8Array(last === undefined ? 0 : (rows.length - 1) * stride + last.byteLength).fill(
    0xc3,
  );
  rows.forEach((row, index) => bytes.set(bytesOf(row), index * stride));
  return bytes;
}

/** The byte ranges of columns [begin, end) of f32 rows. */
export function columnRanges(rows: number, stride: number, begin: number, end: number): ByteRange[] {
  return Array.from({ length: rows }, (_, row) => [row * stride + begin * 4, row * stride + end * 4]);
}

/** Bytes that read as NaN. They reveal an output that is not written, or is read first. */
export function unset(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes).fill(0xff);
}

const scratch = new DataView(new ArrayBuffer(4));
function bits(value: number): string {
  scratch.setFloat32(0, value);
  return `${value} (0x${scratch.getUint32(0).toString(16).padStart(8, "0")})`;
}

/** @throws unless both contain the same numbers, with the same sign of zeros. */
export function requireSame(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} values, expected ${expected.length}`);
  for (let i = 0; i < expected.length; i += 1) {
    if (Object.is(actual[i], expected[i])) continue;
    throw new Error(`${what}[${i}] is ${bits(actual[i] ?? NaN)}, expected ${bits(expected[i] ?? NaN)}`);
  }
}

/**
 * @throws unless every value is within its bound. NaN never is.
 * @returns the largest error relative to its bound.
 */
export function requireWithin(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: (index: number) => number,
  what: string,
): number {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} values, expected ${expected.length}`);
  let worst = 0;
  for (let i = 0; i < expected.length; i += 1) {
    const error = Math.abs((actual[i] ?? NaN) - (expected[i] ?? NaN));
    if (!(error <= bound(i)))
      throw new Error(`${what}[${i}] is ${actual[i]}, expected ${expected[i]} ± ${bound(i)}`);
    if (error > 0) worst = Math.max(worst, error / bound(i));
  }
  return worst;
}
