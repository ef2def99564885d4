import { BitNetError } from "../../errors.js";
import { int8Kernel, int8PairsKernel } from "../../wasm/dot-forms.js";
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
    const { begin, end, address: y, stride, scratch } = output;
    const accumulate = output.accumulate ? 1 : 0;
    const kernels = worker.screenKernels(region);
    // prettier-ignore
    if (kernels === worker.kernels(region) || worker.form === "i8") {
      int8Kernel(worker.kernels(region), worker.form)(
        address, records, cols, begin, end, values, scales, tokens, y, stride, scale, accumulate,
      );
    } else {
      int8PairsKernel(kernels, worker.form)(
        address, records, cols, begin, end, values, scales, tokens, y, stride, scratch, scale, accumulate,
      );
    }
  },
};
