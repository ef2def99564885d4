import type { MatrixRole } from "../../architectures/description.js";
import type { TensorInfo } from "../../files/model-file.js";
import { ternaryGroupsKernel } from "../../wasm/dot-forms.js";
import { createGroupsSelfTest } from "../../wasm/groups-self-test.js";
import type { GroupSize, Kernels, PackBlocks } from "../../wasm/kernels.js";
import { groupInputs, quantizedRows } from "../input-formats.js";
import type { Packing } from "../packing.js";
import { repackRows } from "../repack-rows.js";
import { multiplyByLookup } from "../multiply-by-lookup.js";
import { codeRowBytes, groupScaleBytes, wholeBlocks } from "../ternary-blocks.js";
import type { Layout, Packer, PackedParts } from "./layout.js";
import { ternaryRows } from "./ternary-rows.js";

/** Repacks whole rows of a format's blocks; returns 0, or 1 + the index of the first damaged block. */
type Repack = (kernels: Kernels, ...blocks: Parameters<PackBlocks>) => number;

/** Codes as in ternary rows, and an f32 scale for each group of 128 weights. */
export const ternaryGroups128: Layout = groupsLayout(128, {
  TQ1_0: groupsPacker(128, (kernels, ...rows) => kernels.pack_tq1_0(...rows)),
  TQ2_0: groupsPacker(128, (kernels, ...rows) => kernels.pack_tq2_0(...rows)),
  Q1_0: groupsPacker(128, (kernels, ...rows) => kernels.pack_q1_0(...rows)),
  Q2_0_G128: groupsPacker(128, (kernels, from, rows, cols, ...to) =>
    kernels.pack_q2_0(from, rows, cols, 128, ...to),
  ),
});

/** The same for groups of 64. */
export const ternaryGroups64: Layout = groupsLayout(64, {
  Q2_0: groupsPacker(64, (kernels, from, rows, cols, ...to) =>
    kernels.pack_q2_0(from, rows, cols, 64, ...to),
  ),
});

function groupsLayout(size: GroupSize, packers: Layout["packers"]): Layout {
  const inputFormat = groupInputs[size];
  return {
    name: `ternary-groups-${size}`,
    ternary: true,
    weightBytes: codeRowBytes,
    recordBytes: (cols) => groupScaleBytes(cols, size),
    inputFormat,
    packers,
    readRow: (kernels, { address, records, cols, scale }, row, outputAddress) =>
      kernels.row_ternary_groups(address, records, size, cols, row, scale, outputAddress),
    multiply(worker, matrix, { quantized, tokens }, output) {
      const { region, address, records: scales, cols, scale } = matrix;
      const { values, records } = quantizedRows(quantized, inputFormat);
      const { begin, end, address: y, stride, scratch } = output;
      const [whole, recordBytes] = [wholeBlocks(cols), inputFormat.recordBytes(cols)];
      const groups = { size, address: scales, rowBytes: groupScaleBytes(cols, size) };
      const done =
        matrix.lookupSeries > 0
          ? // prettier-ignore
            multiplyByLookup(worker, region, output, {
              codes: "ternary", weights: address, rowBytes: whole / 4, cols: whole, values, records, recordBytes, scale, groups, tokens,
            })
          : 0;
      if (done === tokens) return;
      const [x, record, to] = [values + done * whole, records + done * recordBytes, y + done * stride];
      const accumulate = output.accumulate ? 1 : 0;
      const kernel = ternaryGroupsKernel(worker.kernels256(region), worker.form, size);
      kernel(
        address,
        scales,
        cols,
        begin,
        end,
        x,
        record,
        tokens - done,
        to,
        stride,
        scratch,
        scale,
        accumulate,
      );
    },
    lookupSeries: 4,
    selfTest: (memories) => createGroupsSelfTest(memories, size),
  };
}

function groupsPacker(size: GroupSize, repack: Repack): Packer {
  return {
    alternatives: size === 64 ? [ternaryGroups128, ternaryRows] : [ternaryRows],
    packedBytes: (rows, cols) => rows * (codeRowBytes(cols) + groupScaleBytes(cols, size)),
    pack: (packing, tensor, role, region) => packGroups(packing, tensor, { role, region, size, repack }),
  };
}

/**
 * A matrix whose groups all have one scale is what BitNet trains, stored in a format of groups. It becomes
 * ternary rows, to be multiplied as in training: by activations with one scale per token. Likewise groups of
 * 64 become groups of 128 where both halves have one scale.
 */
async function packGroups(
  packing: Packing,
  tensor: TensorInfo,
  how: {
    readonly role: MatrixRole;
    readonly region: number;
    readonly size: GroupSize;
    readonly repack: Repack;
  },
): Promise<PackedParts> {
  const { role, region, size, repack } = how;
  const { rows, cols } = role;
  const { memories } = packing;
  const purpose = `tensor "${tensor.name}"`;
  const codeBytes = codeRowBytes(cols);
  const scaleBytes = groupScaleBytes(cols, size);
  const address = memories.allocate(region, rows * codeBytes, purpose);
  const scales = memories.allocate(region, rows * scaleBytes, purpose);
  await repackRows(packing, tensor, { rows, region }, ({ address: from, row, count }) => {
    const kernels = packing.kernels(region);
    return repack(kernels, from, count, cols, address + row * codeBytes, scales + row * scaleBytes);
  });

  const values = scaleView(packing, region, scales, (rows * scaleBytes) / 4);
  const scale = onlyScale(values);
  // A group adds to one of four series of totals, and each must have a group.
  const takesLookup = (groupSize: GroupSize): boolean => cols > 3 * groupSize && ternary();
  const ternary = (): boolean => packing.kernels(region).check_ternary(address, rows * codeBytes) === 0;
  if (scale !== undefined && ternary()) {
    memories.free(region, scales);
    return { address, scale, layout: ternaryRows };
  }
  if (size === 64 && pairsAgree(values)) {
    const mergedBytes = groupScaleBytes(cols, 128);
    const records = memories.allocate(region, rows * mergedBytes, purpose);
    const merged = scaleView(packing, region, records, (rows * mergedBytes) / 4);
    mergePairs({ scales: values, stride: scaleBytes / 4 }, { scales: merged, stride: mergedBytes / 4 });
    memories.free(region, scales);
    return { address, records, layout: ternaryGroups128, takesLookup: takesLookup(128) };
  }
  return { address, records: scales, takesLookup: takesLookup(size) };
}

function scaleView(packing: Packing, region: number, address: number, count: number): Float32Array {
  const bytes = packing.memories.view({ region, address }, count * 4);
  return new Float32Array(bytes.buffer, bytes.byteOffset, count);
}

/** The scale of all groups except those of zeros; undefined if there are several scales. */
function onlyScale(scales: Float32Array): number | undefined {
  let only = 0;
  for (const scale of scales) {
    if (scale === 0 || scale === only) continue;
    if (only !== 0) return undefined;
    only = scale;
  }
  return only;
}

/** Whether the two scales of every pair are equal, or one of them is 0, for a group of zeros. */
function pairsAgree(scales: Float32Array): boolean {
  for (let i = 0; i < scales.length; i += 2) {
    const [first, second] = [scales[i] ?? 0, scales[i + 1] ?? 0];
    if (first !== 0 && second !== 0 && first !== second) return false;
  }
  return true;
}

/** Scales of rows, `stride` of them per row. */
interface RowScales {
  readonly scales: Float32Array;
  readonly stride: number;
}

/** Writes the one scale of every pair. */
function mergePairs(from: RowScales, to: RowScales): void {
  for (let row = 0, at = 0; at < to.scales.length; row += 1, at += to.stride) {
    for (let i = 0; i < to.stride; i += 1) {
      const pair = row * from.stride + 2 * i;
      const [first, second] = [from.scales[pair] ?? 0, from.scales[pair + 1] ?? 0];
      to.scales[at + i] = 2 * i >= from.stride ? 0 : first === 0 ? second : first;
    }
  }
}
