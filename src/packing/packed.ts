import type { Place } from "../wasm/memory.js";

/**
 * A weight matrix [rows, cols] in wasm memory, in one of the few layouts that kernels read. Plain data: threads get copies.
 *
 * | layout | bytes per row | made from |
 * |---|---|---|
 * | ternary-rows | cols / 4, blocks of 128 weights as in I2_S | I2_S, as it is |
 * | f16-rows | cols · 2, exponents raised by 10 (assembly/simd/half) | F16 |
 * | bf16-rows | cols · 2 | BF16 |
 * | f32-rows | cols · 4 | F32, and F16 that holds values of 128 and above |
 * | int8-rows | cols, and a record {f32 scale, i32 sum} per row at `records` | any float, on request, for a compact head |
 */
export interface PackedMatrix extends Place {
  readonly layout: PackedLayout;
  readonly rows: number;
  readonly cols: number;
  /** What the product is multiplied by, an f32: a ternary matrix's scale d, else 1; times the file's `.scale` if it has one. */
  readonly scale: number;
  /** Address of the row records of int8-rows, else 0. */
  readonly records: number;
}

export type PackedLayout = "ternary-rows" | "f16-rows" | "bf16-rows" | "f32-rows" | "int8-rows";

/** What layouts cost: bytes of a weight, bytes of each row's record, and whether weights are −1, 0 or 1 times a scale. */
export const layouts: Readonly<
  Record<
    PackedLayout,
    { readonly weightBytes: number; readonly recordBytes: number; readonly ternary: boolean }
  >
> = {
  "ternary-rows": { weightBytes: 0.25, recordBytes: 0, ternary: true },
  "int8-rows": { weightBytes: 1, recordBytes: 8, ternary: false },
  "f16-rows": { weightBytes: 2, recordBytes: 0, ternary: false },
  "bf16-rows": { weightBytes: 2, recordBytes: 0, ternary: false },
  "f32-rows": { weightBytes: 4, recordBytes: 0, ternary: false },
};

/** Float32 elements in wasm memory. */
export interface PackedVector extends Place {
  readonly length: number;
}
