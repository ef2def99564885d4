import type { Kernels } from "#dist/wasm/kernels.js";

/** Gives the address of a named block. */
export type AddressOf = (block: string) => number;

/** Calls kernels on blocks in memory; a number that it returns belongs to the result. */
export type Way = (kernels: Kernels, at: AddressOf) => unknown;

/** [begin, end) in bytes. */
export type ByteRange = readonly [number, number];

/** What a way left behind. */
export interface Outcome {
  readonly returned: number | undefined;
  /** A copy of a block as it is afterwards. */
  bytes(block: string): Uint8Array<ArrayBuffer>;
  floats(block: string): Float32Array;
  ints(block: string): Int32Array;
}

/** One use of a kernel: operands, ways to do the same work, and what must come of it. */
export interface KernelCase {
  /** Sizes, for the message when it fails: "13 × 192 · 5". */
  readonly name: string;
  /** What memory holds before, by name. */
  readonly blocks: Readonly<Record<string, Uint8Array>>;
  /** Blocks that the contract wants on multiples of 16; all others are put at odd places too. */
  readonly aligned: readonly string[];
  /** What may change. Every other byte of memory must stay as it was: inputs, gaps between rows, all that lies around. */
  readonly writes: Readonly<Record<string, readonly ByteRange[]>>;
  /** Written blocks whose content afterwards means nothing. */
  readonly scratch?: readonly string[];
  /** The first is the plain call; the others split the work differently and must leave the same bytes. */
  readonly ways: readonly [Way, ...(readonly Way[])];
  /** Compares with the twin; throws. */
  check(outcome: Outcome): void;
}

/** A kernel's cases. Made when asked for, since operands are large. */
export interface KernelTwin {
  cases(): Iterable<KernelCase>;
  /** Set where the kernel must not be called in other builds. */
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

/** Rows laid out `stride` bytes apart; the gaps hold junk. The last row has no gap behind it. */
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

/** What may be written where columns [begin, end) of f32 rows are. */
export function columnRanges(rows: number, stride: number, begin: number, end: number): ByteRange[] {
  return Array.from({ length: rows }, (_, row) => [row * stride + begin * 4, row * stride + end * 4]);
}

/** Bytes that read as NaN, so that an output that is not written, or is read first, does not go unnoticed. */
export function unset(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes).fill(0xff);
}

const scratch = new DataView(new ArrayBuffer(4));
function bits(value: number): string {
  scratch.setFloat32(0, value);
  return `${value} (0x${scratch.getUint32(0).toString(16).padStart(8, "0")})`;
}

/** @throws unless both hold the same numbers, zeros of the same sign. */
export function requireSame(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} values, expected ${expected.length}`);
  for (let i = 0; i < expected.length; i += 1) {
    if (Object.is(actual[i], expected[i])) continue;
    throw new Error(`${what}[${i}] is ${bits(actual[i] ?? NaN)}, expected ${bits(expected[i] ?? NaN)}`);
  }
}

/** @throws unless every value is within its bound; NaN is in none. @returns the largest error as a part of its bound. */
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
