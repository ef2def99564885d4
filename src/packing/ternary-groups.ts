import type { MatrixRole } from "../architectures/description.js";
import { throwIfAborted } from "../errors.js";
import type { TensorInfo } from "../files/model-file.js";
import type { GroupSize, Kernels, PackBlocks } from "../wasm/kernels.js";
import { groupCodeBytes, groupScaleBytes, type PackedMatrix } from "./packed.js";
import { corrupt, type Packer, type Packing, pieceBytes } from "./packing.js";

/** Repacks whole rows of a type's blocks; returns 0, or 1 + the index of the first damaged block. */
type Repack = (kernels: Kernels, ...blocks: Parameters<PackBlocks>) => number;

/** The groups that a tensor's weights may come in; none where it is of another type. */
export function groupSizesOf({ type }: TensorInfo): readonly GroupSize[] {
  // Groups of 64 may turn out to be groups of 128.
  return type === "Q2_0" ? [64, 128] : type in ternaryGroupPackers ? [128] : [];
}

/** Types of ternary blocks that each have a scale. */
export const ternaryGroupPackers: Readonly<Record<string, Packer>> = {
  TQ1_0: groupPacker(128, (kernels, ...rows) => kernels.pack_tq1_0(...rows)),
  TQ2_0: groupPacker(128, (kernels, ...rows) => kernels.pack_tq2_0(...rows)),
  Q1_0: groupPacker(128, (kernels, ...rows) => kernels.pack_q1_0(...rows)),
  Q2_0: groupPacker(64, (kernels, from, rows, cols, ...to) => kernels.pack_q2_0(from, rows, cols, 64, ...to)),
  Q2_0_G128: groupPacker(128, (kernels, from, rows, cols, ...to) =>
    kernels.pack_q2_0(from, rows, cols, 128, ...to),
  ),
};

function groupPacker(groupSize: GroupSize, repack: Repack): Packer {
  return {
    packedBytes: (rows, cols) => rows * (groupCodeBytes(cols) + groupScaleBytes(cols, groupSize)),
    pack: (packing, tensor, role, region) => packGroups(packing, tensor, role, region, groupSize, repack),
  };
}

/**
 * A matrix with one scale in all its groups is what BitNet trains, stored in a format of groups: it becomes ternary-rows, to
 * be multiplied as it was trained, by activations with one scale per token. Likewise groups of 64 become groups of 128 where
 * every two have one scale.
 */
async function packGroups(
  packing: Packing,
  tensor: TensorInfo,
  role: MatrixRole,
  region: number,
  groupSize: GroupSize,
  repack: Repack,
): Promise<PackedMatrix> {
  const { rows, cols } = role;
  const { memories } = packing;
  const purpose = `tensor "${tensor.name}"`;
  const codeBytes = groupCodeBytes(cols);
  const scaleBytes = groupScaleBytes(cols, groupSize);
  const codes = memories.allocate(region, rows * codeBytes, purpose);
  const scales = memories.allocate(region, rows * scaleBytes, purpose);
  await forEachRows(packing, tensor, role, region, (from, row, count) => {
    const kernels = packing.kernels(region);
    return repack(kernels, from, count, cols, codes + row * codeBytes, scales + row * scaleBytes);
  });

  const matrix = { region, address: codes, rows, cols } as const;
  const values = scaleView(packing, region, scales, (rows * scaleBytes) / 4);
  const scale = onlyScale(values);
  const ternary = (): boolean => packing.kernels(region).check_ternary(codes, rows * codeBytes) === 0;
  if (scale !== undefined && ternary()) {
    memories.free(region, scales);
    return { ...matrix, layout: "ternary-rows", scale, records: 0 };
  }
  if (groupSize === 64 && pairsAgree(values)) {
    const wideBytes = groupScaleBytes(cols, 128);
    const wide = memories.allocate(region, rows * wideBytes, purpose);
    mergePairs(
      values,
      scaleBytes / 4,
      scaleView(packing, region, wide, (rows * wideBytes) / 4),
      wideBytes / 4,
    );
    memories.free(region, scales);
    return { ...matrix, layout: "ternary-groups-128", scale: 1, records: wide };
  }
  return { ...matrix, layout: `ternary-groups-${groupSize}`, scale: 1, records: scales };
}

/**
 * Reads a tensor's rows into a buffer, as many at a time as a piece holds, and has them repacked.
 * @param repack returns 0, or 1 + the index of a damaged block among those rows.
 */
export async function forEachRows(
  packing: Packing,
  tensor: TensorInfo,
  { rows }: MatrixRole,
  region: number,
  repack: (from: number, row: number, count: number) => number,
): Promise<void> {
  const { memories } = packing;
  const rowBytes = tensor.bytes / rows;
  const pieceRows = Math.min(rows, Math.max(1, Math.floor(pieceBytes / rowBytes)));
  const staging = memories.allocate(region, pieceRows * rowBytes, `reading tensor "${tensor.name}"`);
  try {
    for (let row = 0; row < rows; row += pieceRows) {
      throwIfAborted(packing.signal);
      const count = Math.min(pieceRows, rows - row);
      const bytes = count * rowBytes;
      await tensor.source.readInto(
        tensor.offset + row * rowBytes,
        memories.view({ region, address: staging }, bytes),
      );
      const bad = repack(staging, row, count);
      if (bad !== 0) throw damagedBlock(packing, tensor, row * rowBytes, bad - 1);
      packing.onBytes(bytes);
    }
  } finally {
    memories.free(region, staging);
  }
}

function damagedBlock(packing: Packing, tensor: TensorInfo, begin: number, block: number): Error {
  const { format } = tensor;
  const blockBytes = format?.tensorBytes(format.blockElements) ?? 0;
  const problem = `a block of ${tensor.type} has a scale that is not finite, or a code that stands for no weight`;
  return corrupt(packing, tensor, begin + block * blockBytes, problem);
}

function scaleView(packing: Packing, region: number, address: number, count: number): Float32Array {
  const bytes = packing.memories.view({ region, address }, count * 4);
  return new Float32Array(bytes.buffer, bytes.byteOffset, count);
}

/** The scale of all groups that are not zeros; undefined where they have several. */
function onlyScale(scales: Float32Array): number | undefined {
  let only = 0;
  for (const scale of scales) {
    if (scale === 0 || scale === only) continue;
    if (only !== 0) return undefined;
    only = scale;
  }
  return only;
}

/** Whether of every two scales one is that of zeros, or both are the same. */
function pairsAgree(scales: Float32Array): boolean {
  for (let i = 0; i < scales.length; i += 2) {
    const [first, second] = [scales[i] ?? 0, scales[i + 1] ?? 0];
    if (first !== 0 && second !== 0 && first !== second) return false;
  }
  return true;
}

/** The one scale of every two, by rows of `stride` and `wideStride` scales. */
function mergePairs(scales: Float32Array, stride: number, wide: Float32Array, wideStride: number): void {
  for (let row = 0, to = 0; to < wide.length; row += 1, to += wideStride) {
    for (let i = 0; i < wideStride; i += 1) {
      const from = row * stride + 2 * i;
      const [first, second] = [scales[from] ?? 0, scales[from + 1] ?? 0];
      wide[to + i] = 2 * i >= stride ? 0 : first === 0 ? second : first;
    }
  }
}
