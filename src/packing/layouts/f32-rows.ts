import { multiplyFloats, verbatimPacker } from "./float-rows.js";
import type { Layout } from "./layout.js";

/** F32 as in the file, and F16 matrices with values of 128 and above. */
export const f32Rows: Layout = {
  name: "f32-rows",
  ternary: false,
  weightBytes: (cols) => cols * 4,
  recordBytes: () => 0,
  inputFormat: undefined,
  packers: { F32: verbatimPacker("F32", 4) },
  readRow: (kernels, { address, cols }, row, outputAddress) =>
    kernels.row_f32(address, cols, row, outputAddress),
  multiply: multiplyFloats((kernels) => kernels.matmul_f32_f32),
};
