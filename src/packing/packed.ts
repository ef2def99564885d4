import type { Location } from "../wasm/memory.js";

/** A weight matrix [rows, cols] in wasm memory. Plain data: every worker gets a copy. */
export interface PackedMatrix extends Location {
  /** Name of its layout (packing/layouts). */
  readonly layout: string;
  readonly rows: number;
  readonly cols: number;
  /**
   * f32 factor of the matmul: the scale d of a ternary matrix, else 1, times the file's `.scale` if it has
   * one.
   */
  readonly scale: number;
  /** Address of the layout's records: scales of rows or of groups. 0 for layouts without records. */
  readonly records: number;
  /** Series of totals that its matmuls by lookup tables keep; 0 for matrices that have none. */
  readonly lookupSeries: number;
}

/** A vector of f32 in wasm memory. */
export interface PackedVector extends Location {
  /** Elements. */
  readonly length: number;
}
