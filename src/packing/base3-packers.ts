import type { MatrixRole } from "../architectures/description.js";
import type { TensorInfo } from "../files/model-file.js";
import { float16ToNumber } from "../weight-formats/float16.js";
import { readI2sScale, requireI2sCodes } from "./i2-s-checks.js";
import type { Packing } from "./packing.js";
import { repackRows, type StagedRows } from "./repack-rows.js";
import {
  base3RowBytes,
  base3Slack,
  codeRowBytes,
  groupScaleBytes,
  halfScaleBytes,
} from "./ternary-blocks.js";

/** A matrix in base 3: its codes, and one scale or an address of halves, one per 256 weights. */
export type Base3Matrix =
  | { readonly address: number; readonly scale: number }
  | { readonly address: number; readonly records: number };

/** Packs a piece of I2_S at a time. */
export async function packI2sInBase3(
  packing: Packing,
  tensor: TensorInfo,
  { rows, cols }: MatrixRole,
  region: number,
): Promise<Base3Matrix> {
  const { memories } = packing;
  const rowBytes = codeRowBytes(cols);
  const scale = await readI2sScale(packing, tensor, rows * rowBytes);
  const address = allocateCodes(packing, tensor, { rows, cols }, region);
  const scratch = memories.allocate(region, scratchBytes(cols), "packing in base 3");
  try {
    await repackRows(packing, tensor, { rows, rowBytes, region }, ({ address: from, row, count }) => {
      const piece = { region, address: from, bytes: count * rowBytes, begin: row * rowBytes };
      requireI2sCodes(packing, tensor, piece);
      const to = address + row * base3RowBytes(cols);
      packing.kernels(region).pack_base3(from, count, cols, to, scratch);
      return 0;
    });
  } finally {
    memories.free(region, scratch);
  }
  packing.onBytes(tensor.bytes - rows * rowBytes);
  return { address, scale };
}

/** Where the rows of a piece go. */
interface RowTargets {
  readonly codes: number;
  readonly scales: number;
  readonly scratch: number;
}

/**
 * Packs rows of blocks of 256 weights with a half each. Blocks of zeros get the scale 0.
 * @returns 0, or 1 + the index of the first damaged block.
 */
type PackRows = (packing: Packing, region: number, from: StagedRows, cols: number, to: RowTargets) => number;

/** TQ1_0 is in base 3 already, in another order. */
export const packTq10Rows: PackRows = ({ kernels }, region, { address, count }, cols, to) =>
  kernels(region).pack_base3_tq1_0(address, count, cols, to.codes, to.scales, to.scratch);

/** TQ2_0 becomes ternary groups first, row by row. */
export const packTq20Rows: PackRows = (packing, region, { address, count }, cols, to) => {
  const kernels = packing.kernels(region);
  const perRow = cols / 256;
  const codes = to.scratch + digitBytes(cols);
  const groupScales = codes + codeRowBytes(cols);
  const scaleView = packing.memories.view({ region, address: groupScales }, groupScaleBytes(cols, 128));
  const scales = new Float32Array(scaleView.buffer, scaleView.byteOffset, perRow * 2);
  const halves = halfView(packing, region, to.scales, count * perRow);
  for (let row = 0; row < count; row += 1) {
    const from = address + row * perRow * tq20BlockBytes;
    const bad = kernels.pack_tq2_0(from, 1, cols, codes, groupScales);
    if (bad !== 0) return row * perRow + bad;
    kernels.pack_base3(codes, 1, cols, to.codes + row * base3RowBytes(cols), to.scratch);
    const blocks = packing.memories.view({ region, address: from }, perRow * tq20BlockBytes);
    for (let block = 0; block < perRow; block += 1) {
      const isZero = scales[2 * block] === 0 && scales[2 * block + 1] === 0;
      const at = block * tq20BlockBytes + 64;
      halves[row * perRow + block] = isZero ? 0 : (blocks[at] ?? 0) | ((blocks[at + 1] ?? 0) << 8);
    }
  }
  return 0;
};

const tq20BlockBytes = 66;

/**
 * A matrix whose blocks all have one scale is what BitNet trains: it gets one scale, as in ternary groups.
 */
export async function packBlocksInBase3(
  packing: Packing,
  tensor: TensorInfo,
  { rows, cols }: MatrixRole,
  region: number,
  packRows: PackRows,
): Promise<Base3Matrix> {
  const { memories } = packing;
  const address = allocateCodes(packing, tensor, { rows, cols }, region);
  const records = memories.allocate(region, rows * halfScaleBytes(cols), `tensor "${tensor.name}"`);
  const scratch = memories.allocate(region, scratchBytes(cols), "packing in base 3");
  try {
    await repackRows(packing, tensor, { rows, region }, (staged) =>
      packRows(packing, region, staged, cols, {
        codes: address + staged.row * base3RowBytes(cols),
        scales: records + staged.row * halfScaleBytes(cols),
        scratch,
      }),
    );
  } finally {
    memories.free(region, scratch);
  }
  const half = onlyHalf(halfView(packing, region, records, (rows * cols) / 256));
  if (half === undefined) return { address, records };
  memories.free(region, records);
  return { address, scale: float16ToNumber(half) };
}

/** The scale of all blocks except those of zeros; undefined if there are several scales. */
function onlyHalf(halves: Uint16Array): number | undefined {
  let only = 0;
  for (const half of halves) {
    if (half === 0 || half === only) continue;
    if (only !== 0) return undefined;
    only = half;
  }
  return only;
}

function halfView(packing: Packing, region: number, address: number, count: number): Uint16Array {
  const bytes = packing.memories.view({ region, address }, count * 2);
  return new Uint16Array(bytes.buffer, bytes.byteOffset, count);
}

function allocateCodes(
  packing: Packing,
  tensor: TensorInfo,
  { rows, cols }: Pick<MatrixRole, "rows" | "cols">,
  region: number,
): number {
  const bytes = rows * base3RowBytes(cols) + base3Slack.weights;
  return packing.memories.allocate(region, bytes, `tensor "${tensor.name}"`);
}

/** Digits of a row of whole blocks, of 160 and of 128. */
function digitBytes(cols: number): number {
  return base3RowBytes(cols) * 5 + 128;
}

/** A row's digits, and two-bit codes with f32 scales of a row on their way. */
function scratchBytes(cols: number): number {
  return digitBytes(cols) + codeRowBytes(cols) + groupScaleBytes(cols, 128);
}
