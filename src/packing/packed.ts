import type { GroupSize } from "../wasm/kernels.js";
import type { Place } from "../wasm/memory.js";

/**
 * A weight matrix [rows, cols] in wasm memory, in one of the few layouts that kernels read. Plain data: threads get copies.
 *
 * | layout | bytes per row | made from |
 * |---|---|---|
 * | ternary-rows | cols / 4, blocks of 128 weights as in I2_S, filled up to whole ones | I2_S, as it is; ternary groups that all have one scale; a checkpoint's masters |
 * | ternary-groups-64, -128 | the same, filled up to whole blocks, and an f32 scale per group at `records` | TQ1_0, TQ2_0, Q1_0, Q2_0 |
 * | f16-rows | cols · 2, exponents raised by 10 (assembly/simd/half) | F16 |
 * | bf16-rows | cols · 2 | BF16 |
 * | f32-rows | cols · 4 | F32, and F16 that holds values of 128 and above |
 * | int8-rows | cols, and a record {f32 scale, i32 sum} per row at `records` | any float, on request, for a compact head |
 */
export interface PackedMatrix extends Place {
  readonly layout: PackedLayout;
  readonly rows: number;
  readonly cols: number;
  /** What the product is multiplied by, an f32: the scale d of ternary-rows, else 1; times the file's `.scale` if it has one. */
  readonly scale: number;
  /** Address of the row records of int8-rows, or of the scales of groups; else 0. */
  readonly records: number;
}

export type PackedLayout =
  "ternary-rows" | `ternary-groups-${GroupSize}` | "f16-rows" | "bf16-rows" | "f32-rows" | "int8-rows";

/** How many weights share a scale. */
export function groupSizeOf(layout: `ternary-groups-${GroupSize}`): GroupSize {
  return layout === "ternary-groups-64" ? 64 : 128;
}

/** Columns of ternary rows, and of their input, with what fills them up to whole blocks of 128. */
export function wholeBlocks(cols: number): number {
  return Math.ceil(cols / 128) * 128;
}

/** Bytes of a row's codes: whole blocks of 128 weights. */
export function groupCodeBytes(cols: number): number {
  return wholeBlocks(cols) / 4;
}

/** Bytes of a row's scales, as many as there are groups in its whole blocks: whole vectors of four. */
export function groupScaleBytes(cols: number, groupSize: GroupSize): number {
  const groups = Math.ceil(cols / 128) * (128 / groupSize);
  return Math.ceil(groups / 4) * 16;
}

/** What layouts cost: bytes of a row's weights and of its record or scales, and whether weights are −1, 0 or 1 times a scale. */
export const layouts: Readonly<
  Record<
    PackedLayout,
    { weightBytes(cols: number): number; recordBytes(cols: number): number; readonly ternary: boolean }
  >
> = {
  "ternary-rows": { weightBytes: groupCodeBytes, recordBytes: () => 0, ternary: true },
  "ternary-groups-64": {
    weightBytes: groupCodeBytes,
    recordBytes: (cols) => groupScaleBytes(cols, 64),
    ternary: true,
  },
  "ternary-groups-128": {
    weightBytes: groupCodeBytes,
    recordBytes: (cols) => groupScaleBytes(cols, 128),
    ternary: true,
  },
  "int8-rows": { weightBytes: (cols) => cols, recordBytes: () => 8, ternary: false },
  "f16-rows": { weightBytes: (cols) => cols * 2, recordBytes: () => 0, ternary: false },
  "bf16-rows": { weightBytes: (cols) => cols * 2, recordBytes: () => 0, ternary: false },
  "f32-rows": { weightBytes: (cols) => cols * 4, recordBytes: () => 0, ternary: false },
};

/** Bytes of a packed matrix, all its parts together. */
export function matrixBytes({ layout, rows, cols }: Pick<PackedMatrix, "layout" | "rows" | "cols">): number {
  const { weightBytes, recordBytes } = layouts[layout];
  return rows * (weightBytes(cols) + recordBytes(cols));
}

/** Float32 elements in wasm memory. */
export interface PackedVector extends Place {
  readonly length: number;
}
