import type { MatrixRole } from "../architectures/description.js";
import { BitNetError, throwIfAborted } from "../errors.js";
import type { TensorInfo } from "../files/model-file.js";
import { weightFormats } from "../weight-formats/index.js";
import type { Packer, PackedParts } from "./layouts/layout.js";
import { notFinite } from "./finite.js";
import { corrupt, type Packing } from "./packing.js";

/**
 * Quantizations other than ternary ones are decoded into f32 rows of four bytes a weight: exact and slow. So
 * an ordinary model opens and can be compared with a ternary one.
 */
export const decodedPackers: Readonly<Record<string, Packer>> = Object.fromEntries(
  weightFormats
    .flatMap(({ name, affine }) => (affine === undefined ? [] : [name]))
    .map((name) => [
      name,
      { packedBytes: (rows: number, cols: number) => rows * cols * 4, pack: packDecoded },
    ]),
);

/** Weights decoded before the event loop gets a turn. */
const pieceElements = 1 << 20;

/** @throws BitNetError FILE_CORRUPT with the byte of the file. */
function decode(
  packing: Packing,
  tensor: TensorInfo,
  begin: number,
  bytes: Uint8Array,
  elements: number,
): Float32Array {
  const { format } = tensor;
  if (format === undefined) throw new TypeError(`tensor "${tensor.name}" has no known format`);
  let values: Float32Array;
  try {
    values = format.decode(bytes, elements);
  } catch (cause) {
    if (!(cause instanceof BitNetError) || cause.code !== "FILE_CORRUPT") throw cause;
    const { offset } = cause.details;
    const at = begin + (typeof offset === "number" ? offset : 0);
    const index = Math.floor(at / format.tensorBytes(format.blockElements)) * format.blockElements;
    throw corrupt(packing, tensor, at, cause.message, index);
  }
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad === -1) return values;
  const { blockElements } = format;
  throw notFinite(packing, tensor, (begin / format.tensorBytes(blockElements)) * blockElements + bad);
}

async function packDecoded(
  packing: Packing,
  tensor: TensorInfo,
  { rows, cols }: MatrixRole,
  region: number,
): Promise<PackedParts> {
  const { memories, signal } = packing;
  const rowBytes = tensor.bytes / rows;
  const pieceRows = Math.max(1, Math.floor(pieceElements / cols));
  const address = memories.allocate(region, rows * cols * 4, `tensor "${tensor.name}"`);
  for (let row = 0; row < rows; row += pieceRows) {
    throwIfAborted(signal);
    const count = Math.min(pieceRows, rows - row);
    const begin = row * rowBytes;
    const bytes = await tensor.source.read(tensor.offset + begin, count * rowBytes);
    const values = decode(packing, tensor, begin, bytes, count * cols);
    const location = { region, address: address + row * cols * 4 };
    memories
      .view(location, values.byteLength)
      .set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    packing.onBytes(bytes.length);
  }
  return { address };
}
