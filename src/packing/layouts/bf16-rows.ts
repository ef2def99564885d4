import { multiplyFloats, verbatimPacker } from "./float-rows.js";
import type { Layout } from "./layout.js";

/** BF16 as in the file. */
export const bf16Rows: Layout = {
  name: "bf16-rows",
  ternary: false,
  weightBytes: (cols) => cols * 2,
  recordBytes: () => 0,
  inputFormat: undefined,
  packers: { BF16: verbatimPacker("BF16", 2) },
  readRow: (kernels, { address, cols }, row, outputAddress) =>
    kernels.row_bf16(address, cols, row, outputAddress),
  multiply: multiplyFloats((kernels) => kernels.matmul_bf16_f32),
};
