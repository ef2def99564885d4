import { base3GroupsKernel, base3Kernel, listedBase3Kernel } from "../../wasm/dot-forms.js";
import { createBase3GroupsSelfTest, createBase3SelfTest } from "../../wasm/base3-self-test.js";
import { packBlocksInBase3, packI2sInBase3, packTq10Rows, packTq20Rows } from "../base3-packers.js";
import { groupInputs, i8Input, quantizedRows } from "../input-formats.js";
import { multiplyByLookup } from "../multiply-by-lookup.js";
import { base3RowBytes, base3Saves, halfScaleBytes, wholeBlocks } from "../ternary-blocks.js";
import type { Layout, Packer } from "./layout.js";
import { ternaryGroups128 } from "./ternary-groups.js";
import { ternaryRows } from "./ternary-rows.js";

/**
 * Ternary weights with one scale per matrix in base 3: blocks of 160 weights = 32 bytes. Byte j holds weights
 * j, 32 + j, … 128 + j. The last block of a row is filled up with digits of 0, so that the input after the
 * row does not count (assembly/simd/base3). A copy by columns would be a second set of weights, so there is
 * none.
 */
export const base3Rows: Layout = {
  name: "base3-rows",
  ternary: true,
  weightBytes: base3RowBytes,
  recordBytes: () => 0,
  inputFormat: i8Input,
  packers: {
    I2_S: whereSmaller("I2_S", ternaryRows, {
      packedBytes: (rows, cols) => rows * base3RowBytes(cols),
      pack: packI2sInBase3,
    }),
  },
  readRow: (kernels, { address, cols, scale }, row, outputAddress) =>
    kernels.row_base3(address, cols, row, scale, outputAddress),
  multiply(worker, { region, address, cols, scale }, { quantized, tokens }, output) {
    const { values, records } = quantizedRows(quantized, i8Input);
    const { begin, end, address: y, stride, scratch } = output;
    const whole = wholeBlocks(cols);
    const done = multiplyByLookup(worker, region, output, {
      codes: "base3",
      weights: address,
      rowBytes: base3RowBytes(cols),
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
    const kernel = base3Kernel(worker.kernels256(region), worker.form);
    // prettier-ignore
    kernel(address, cols, begin, end, x, whole, record, tokens - done, to, stride, scratch, scale, accumulate);
  },
  lookupSeries: 1,
  sparse: {
    takesListed: () => true,
    multiplyListed(worker, { region, address, cols, scale }, { list, listed, input, output, scratch }) {
      const kernel = listedBase3Kernel(worker.kernels256(region), worker.form);
      kernel(address, cols, list, listed, input.values, input.records, output, scratch, scale);
    },
  },
  selfTest: createBase3SelfTest,
};

const inputFormat = groupInputs[128];

/** The same codes, and a half for each 256 weights. */
export const base3Groups: Layout = {
  name: "base3-groups",
  ternary: true,
  weightBytes: base3RowBytes,
  recordBytes: halfScaleBytes,
  inputFormat,
  packers: {
    TQ1_0: whereSmaller("TQ1_0", ternaryGroups128, {
      alternatives: [base3Rows],
      packedBytes: groupedBytes,
      pack: async (...of) => withLayout(await packBlocksInBase3(...of, packTq10Rows)),
    }),
    TQ2_0: whereSmaller("TQ2_0", ternaryGroups128, {
      alternatives: [base3Rows],
      packedBytes: groupedBytes,
      pack: async (...of) => withLayout(await packBlocksInBase3(...of, packTq20Rows)),
    }),
  },
  readRow: (kernels, { address, records, cols, scale }, row, outputAddress) =>
    kernels.row_base3_groups(address, records, cols, row, scale, outputAddress),
  multiply(worker, { region, address, records: scales, cols, scale }, { quantized, tokens }, output) {
    const { values, records } = quantizedRows(quantized, inputFormat);
    const { begin, end, address: y, stride, scratch } = output;
    const accumulate = output.accumulate ? 1 : 0;
    const kernel = base3GroupsKernel(worker.kernels256(region), worker.form);
    kernel(address, scales, cols, begin, end, values, records, tokens, y, stride, scratch, scale, accumulate);
  },
  selfTest: createBase3GroupsSelfTest,
};

function groupedBytes(rows: number, cols: number): number {
  return rows * (base3RowBytes(cols) + halfScaleBytes(cols));
}

function withLayout(
  matrix: Awaited<ReturnType<typeof packBlocksInBase3>>,
): Awaited<ReturnType<Packer["pack"]>> {
  return { ...matrix, ...("scale" in matrix && { layout: base3Rows }) };
}

/** A packer that leaves short rows to the two-bit layout's packer. */
function whereSmaller(type: string, other: Layout, packer: Packer): Packer {
  const twoBits = other.packers[type];
  if (twoBits === undefined) throw new RangeError(`no packer of ${type} in ${other.name}`);
  return {
    alternatives: [...(packer.alternatives ?? []), other, ...(twoBits.alternatives ?? [])],
    packedBytes: (rows, cols) => (base3Saves(cols) ? packer : twoBits).packedBytes(rows, cols),
    pack: async (packing, tensor, role, region) =>
      base3Saves(role.cols)
        ? packer.pack(packing, tensor, role, region)
        : { layout: other, ...(await twoBits.pack(packing, tensor, role, region)) },
  };
}
