import { BitNetError, throwIfAborted } from "../errors.js";
import type { TensorInfo } from "../files/model-file.js";
import { type AffineKind, affinePanelRows, affineRowBytes, codeOffset } from "../wasm/affine-kinds.js";
import type { AffineGroups, WeightFormat } from "../weight-formats/weight-format.js";
import { corrupt, type Packing } from "./packing.js";

type AffineFormat = WeightFormat & Required<Pick<WeightFormat, "affine">>;

/** Weights read before the event loop gets a turn. */
const pieceElements = 1 << 20;

/**
 * Reads a tensor's codes, scales and minima, and writes them as panels (assembly/kernels/matmul-affine).
 * @throws BitNetError FILE_CORRUPT with the byte of the file.
 */
export async function packPanels(
  packing: Packing,
  tensor: TensorInfo,
  to: {
    readonly kind: AffineKind;
    readonly rows: number;
    readonly cols: number;
    readonly region: number;
    readonly address: number;
  },
): Promise<void> {
  const { kind, rows, cols, region, address } = to;
  const format = affineFormatOf(tensor, kind);
  const fileRowBytes = tensor.bytes / rows;
  const rowBytes = affineRowBytes(kind, cols);
  const panels = Math.max(1, Math.floor(pieceElements / (cols * affinePanelRows)));
  for (let row = 0; row < rows; row += panels * affinePanelRows) {
    throwIfAborted(packing.signal);
    const count = Math.min(panels * affinePanelRows, rows - row);
    const begin = row * fileRowBytes;
    const bytes = await tensor.source.read(tensor.offset + begin, count * fileRowBytes);
    const groups = readGroups(packing, tensor, format, { bytes, begin, rows: count, cols });
    const location = { region, address: address + row * rowBytes };
    const padded = Math.ceil(count / affinePanelRows) * affinePanelRows;
    writePanels(kind, cols, groups, packing.memories.view(location, padded * rowBytes));
    packing.onBytes(bytes.length);
  }
}

function affineFormatOf({ type, format }: TensorInfo, { group }: AffineKind): AffineFormat {
  if (format?.affine?.groupElements !== group) throw new RangeError(`${type} has no groups of ${group}`);
  return { ...format, affine: format.affine };
}

/** The groups of some rows, filled up with zeros to whole panels. */
function readGroups(
  packing: Packing,
  tensor: TensorInfo,
  format: AffineFormat,
  piece: {
    readonly bytes: Uint8Array;
    /** First byte of the piece in the tensor. */
    readonly begin: number;
    readonly rows: number;
    readonly cols: number;
  },
): AffineGroups {
  const { bytes, begin, rows, cols } = piece;
  const { affine } = format;
  const elements = Math.ceil(rows / affinePanelRows) * affinePanelRows * cols;
  const groups = {
    codes: new Int8Array(elements),
    scales: new Float32Array(elements / affine.groupElements),
    minimums: new Float32Array(elements / affine.groupElements),
  };
  try {
    affine.readGroups(bytes, groups);
  } catch (cause) {
    if (!(cause instanceof BitNetError) || cause.code !== "FILE_CORRUPT") throw cause;
    const { offset } = cause.details;
    const at = begin + (typeof offset === "number" ? offset : 0);
    const [blockElements, blockBytes] = [format.blockElements, format.tensorBytes(format.blockElements)];
    throw corrupt(packing, tensor, at, cause.message, Math.floor(at / blockBytes) * blockElements);
  }
  return groups;
}

/** Writes whole panels. Four codes of a row move as one word. */
function writePanels(
  kind: AffineKind,
  cols: number,
  { codes, scales, minimums }: AffineGroups,
  bytes: Uint8Array,
): void {
  const { bits, group, minima } = kind;
  const from = new Int32Array(codes.buffer, codes.byteOffset, codes.length / 4);
  const to = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const [rowWords, rowGroups, steps] = [cols / 4, cols / group, group / 4];
  const offsets = codeOffset(kind) * 0x01010101;
  let at = 0;
  for (let row = 0; row * cols < codes.length; row += affinePanelRows) {
    for (let g = 0; g < rowGroups; g += 1) {
      for (let step = 0; step < steps; step += bits === 4 ? 2 : 1) {
        for (let r = 0; r < affinePanelRows; r += 1) {
          const index = (row + r) * rowWords + g * steps + step;
          const word = addBytes(from[index] as number, offsets);
          to[at] = bits === 4 ? word | (addBytes(from[index + 1] as number, offsets) << 4) : word;
          at += 1;
        }
      }
      for (const numbers of minima ? [scales, minimums] : [scales]) {
        for (let r = 0; r < affinePanelRows; r += 1) {
          floats[at] = numbers[(row + r) * rowGroups + g] as number;
          at += 1;
        }
      }
    }
  }
}

/** Adds the four bytes of two words, without a carry from one byte to the next. */
function addBytes(word: number, other: number): number {
  return ((word & 0x7f7f7f7f) + (other & 0x7f7f7f7f)) ^ ((word ^ other) & 0x80808080);
}
