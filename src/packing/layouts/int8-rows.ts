import { BitNetError } from "../../errors.js";
import { i14Input, quantizedRows } from "../input-formats.js";
import type { Layout } from "./layout.js";

/** int8 with a record {f32 scale, i32 sum} per row: the screen of an output head (packing/screen). */
export const int8Rows: Layout = {
  name: "int8-rows",
  ternary: false,
  weightBytes: (cols) => cols,
  recordBytes: () => 8,
  inputFormat: i14Input,
  packers: {},
  readRow(_kernels, { layout }) {
    throw new BitNetError("UNSUPPORTED_TENSOR_TYPE", `An embedding in ${layout} has no kernel here`);
  },
  multiply(worker, { region, address, records, cols, scale }, { quantized, tokens }, output) {
    const { values, records: scales } = quantizedRows(quantized, i14Input);
    const { begin, end, address: y, stride } = output;
    const { matmul_i8_i14 } = worker.kernels(region);
    const accumulate = output.accumulate ? 1 : 0;
    matmul_i8_i14(address, records, cols, begin, end, values, scales, tokens, y, stride, scale, accumulate);
  },
};
