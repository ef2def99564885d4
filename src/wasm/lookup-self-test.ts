import type { GroupSize, Kernels } from "./kernels.js";
import { type LookupMatmul, type LookupStep, lookupBytes, lookupLanes, runLookupStep } from "./lookups.js";
import { bestTime, createOperandNumbers, weightAt } from "./matmul-self-test.js";
import type { Memories } from "./memory.js";

/** Weights with one scale per matrix, in two bits or in base 3, or with one per group of so many. */
export type LookupKind = "rows" | "base3" | GroupSize;

/** Runs matmuls by lookup tables on operands of its own, to check and to time them. */
export interface LookupSelfTest {
  /** Whether known sums come out, of every kind, with tables of each width. */
  correct(kernels: Kernels): boolean;
  /**
   * Shortest time in ms of a matmul with tables of `lanes` lanes, while the engine optimises it for about
   * `forMilliseconds`.
   */
  time(kernels: Kernels, kind: LookupKind, lanes: LookupStep["lanes"], forMilliseconds: number): number;
  free(): void;
}

/** Small enough to check in TypeScript, with leftovers of rows and of tokens. */
const rows = 7;
const tokens = 5;
/** Five blocks: the last one adds to the totals of the first, also in groups, which have four series. */
const cols = 640;

/** Rows of the timed matmul. */
const timedRows = 256;

/** Takes half a megabyte of region 0 until `free`. */
export function createLookupSelfTest(memories: Memories): LookupSelfTest {
  const region = 0;
  const takeView = (bytes: number): Uint8Array<SharedArrayBuffer> =>
    memories.view({ region, address: memories.allocate(region, bytes, "the self-test") }, bytes);
  const codes = takeView((timedRows * cols) / 4);
  const base3 = takeView((timedRows * cols) / 5);
  const x = takeView(tokens * cols);
  // Scales of tokens and of groups are 1: {scale, sum} per token, or {scales, sums} of 5 or 10 groups in
  // vectors.
  const recordBytes = { rows: 8, base3: 8, 128: 64, 64: 96 };
  const records = takeView(tokens * recordBytes[64]);
  const scales = takeView(timedRows * 48);
  const output = takeView(tokens * timedRows * 4);
  const workspaceRows = 4 * timedRows;
  const workspace = {
    address: memories.allocate(region, lookupBytes(workspaceRows), "the self-test"),
    rows: workspaceRows,
  };

  const next = createOperandNumbers();
  for (let i = 0; i < codes.length; i += 1)
    codes[i] = next(3) | (next(3) << 2) | (next(3) << 4) | (next(3) << 6);
  for (let i = 0; i < base3.length; i += 1) base3[i] = base3Byte(codes, i);
  for (let i = 0; i < x.length; i += 1) x[i] = i < 128 ? 0x80 : i < 256 ? 0x7f : next(256);
  for (const { buffer, byteOffset, byteLength } of [records, scales])
    new Float32Array(buffer, byteOffset, byteLength / 4).fill(1);

  function multiply(kernels: Kernels, kind: LookupKind, lanes: LookupStep["lanes"], end: number): void {
    const matmul: LookupMatmul = {
      codes: kind === "base3" ? "base3" : "ternary",
      weights: (kind === "base3" ? base3 : codes).byteOffset,
      rowBytes: kind === "base3" ? cols / 5 : cols / 4,
      cols,
      begin: 0,
      end,
      values: x.byteOffset,
      records: records.byteOffset,
      recordBytes: recordBytes[kind],
      groups:
        kind === "rows" || kind === "base3"
          ? undefined
          : { size: kind, address: scales.byteOffset, rowBytes: recordBytes[kind] / 2 },
      address: output.byteOffset,
      stride: end * 4,
      scale: 1,
      accumulate: false,
    };
    runLookupStep(kernels, matmul, { first: 0, tokens, lanes }, workspace);
  }

  function expected(t: number, r: number): number {
    let sum = 0;
    for (let k = 0; k < cols; k += 1)
      sum += weightAt(codes, (r * cols) / 4, k) * (((x[t * cols + k] ?? 0) << 24) >> 24);
    return sum;
  }

  return {
    correct: (kernels) =>
      (["rows", "base3", 128, 64] as const).every((kind) =>
        lookupLanes.every((lanes) => {
          if (kind === "base3" && lanes === 64) return true;
          output.fill(0xff);
          multiply(kernels, kind, lanes, rows);
          const result = new Float32Array(output.buffer, output.byteOffset, tokens * rows);
          return result.every((value, i) => value === expected(Math.floor(i / rows), i % rows));
        }),
      ),
    time: (kernels, kind, lanes, forMilliseconds) =>
      bestTime(forMilliseconds, () => multiply(kernels, kind, lanes, timedRows)),
    free(): void {
      for (const { byteOffset } of [codes, base3, x, records, scales, output])
        memories.free(region, byteOffset);
      memories.free(region, workspace.address);
    },
  };
}

/** Byte `index` of the same rows in base 3 (assembly/simd/base3), from their two-bit codes. */
function base3Byte(codes: Uint8Array, index: number): number {
  const [row, inRow] = [Math.floor(index / (cols / 5)), index % (cols / 5)];
  let n = 0;
  for (let plane = 0; plane < 5; plane += 1) {
    const column = Math.floor(inRow / 32) * 160 + plane * 32 + (inRow % 32);
    n = n * 3 + weightAt(codes, (row * cols) / 4, column) + 1;
  }
  return Math.ceil((n * 256) / 243) - 128;
}
