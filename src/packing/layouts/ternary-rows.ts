import type { MatrixRole } from "../../architectures/description.js";
import type { TensorInfo } from "../../files/model-file.js";
import { listedTernaryKernel, ternaryKernel } from "../../wasm/dot-forms.js";
import { transposeScratchBytes } from "../../wasm/kernels.js";
import { i8Input, quantizedRows } from "../input-formats.js";
import { readI2sScale, requireI2sCodes } from "../i2-s-checks.js";
import { type Packing, readIntoMemory } from "../packing.js";
import { codeRowBytes, wholeBlocks } from "../ternary-blocks.js";
import { multiplyByLookup } from "../multiply-by-lookup.js";
import { ternaryFloatPackers } from "../ternary-floats.js";
import type { Layout, PackedParts, SparseMatmuls } from "./layout.js";

/** Rows and columns of a copy by columns come in blocks of this. */
const block = 128;

/**
 * Ternary weights with one scale per matrix: two-bit codes in blocks of 128, as in I2_S
 * (weight-formats/i2-s), rows filled up with zero weights to whole blocks. `chooseMatmul` always runs its
 * self-test, which decides the dot form.
 */
export const ternaryRows: Layout = {
  name: "ternary-rows",
  ternary: true,
  weightBytes: codeRowBytes,
  recordBytes: () => 0,
  inputFormat: i8Input,
  packers: {
    I2_S: { packedBytes: (rows, cols) => (rows * cols) / 4, pack: packI2s },
    ...ternaryFloatPackers,
  },
  readRow: (kernels, { address, cols, scale }, row, outputAddress) =>
    kernels.row_ternary(address, cols, row, scale, outputAddress),
  multiply(worker, matrix, { quantized, tokens }, output) {
    const { region, address, cols, scale } = matrix;
    const { values, records } = quantizedRows(quantized, i8Input);
    const { begin, end, address: y, stride, scratch } = output;
    const whole = wholeBlocks(cols);
    const done = multiplyByLookup(worker, region, output, {
      codes: "ternary",
      weights: address,
      rowBytes: whole / 4,
      cols: whole,
      values,
      records,
      recordBytes: 8,
      scale,
      groups: undefined,
      tokens,
    });
    if (done === tokens) return;
    const [x, record, to] = [values + done * whole, records + done * 8, y + done * stride];
    const accumulate = output.accumulate ? 1 : 0;
    const kernels = worker.kernels256(region);
    // With one or two tokens left, both use the tiles of one token.
    const isWide = worker.wideTiles && tokens - done > 2;
    const kernel = isWide ? kernels.matmul_ternary_wide_i8_dot_i32 : ternaryKernel(kernels, worker.form);
    // prettier-ignore
    kernel(address, whole, begin, end, x, whole, record, tokens - done, to, stride, scratch, scale, accumulate);
  },
  lookupSeries: 1,
  sparse: sparseTernary(),
};

function sparseTernary(): SparseMatmuls {
  return {
    takesListed: ({ cols }) => cols % block === 0,
    multiplyListed(worker, { region, address, cols, scale }, { list, listed, input, output, scratch }) {
      const kernel = listedTernaryKernel(worker.kernels256(region), worker.form);
      kernel(address, cols, list, listed, input.values, input.records, output, scratch, scale);
    },
    columns: {
      rowGranule: block,
      takes: ({ rows, cols }) => rows % block === 0 && cols % block === 0,
      bytes: ({ rows, cols }) => (rows * cols) / 4,
      transpose({ memories, kernels }, { region, address, rows, cols }) {
        const columns = memories.allocate(region, (rows * cols) / 4, "a matrix by columns");
        const scratch = memories.allocate(region, transposeScratchBytes, "transposing a matrix");
        kernels(region).transpose_ternary(address, rows, cols, 0, rows, columns, scratch);
        memories.free(region, scratch);
        return { region, address: columns };
      },
      add(worker, { region, rows, scale }, { columns, begin, end, list, listed, input, output, scratch }) {
        // prettier-ignore
        worker.kernels256(region).matmul_ternary_columns_i8(
          columns.address, rows, begin, end, input.values, list, listed, input.records, output, scratch, scale, 1,
        );
      },
    },
  };
}

async function packI2s(
  packing: Packing,
  tensor: TensorInfo,
  { rows, cols }: MatrixRole,
  region: number,
): Promise<PackedParts> {
  const codeBytes = (rows * cols) / 4;
  const scale = await readI2sScale(packing, tensor, codeBytes);
  const address = await readIntoMemory(packing, tensor, { region, bytes: codeBytes }, (piece) =>
    requireI2sCodes(packing, tensor, { ...piece, region }),
  );
  return { address, scale };
}
