import { throwIfAborted } from "../errors.js";
import type { TensorInfo } from "../files/model-file.js";
import { corrupt, type Packing, pieceBytes } from "./packing.js";

/** Rows of a tensor as they lie in the file, in wasm memory. */
export interface StagedRows {
  readonly address: number;
  /** Index of the first row. */
  readonly row: number;
  readonly count: number;
}

/** A matrix to repack, and the region of its buffer. */
interface RepackedMatrix {
  readonly rows: number;
  /** Default: the tensor's bytes divided by its rows. */
  readonly rowBytes?: number;
  readonly region: number;
}

/**
 * Reads a tensor's rows into a buffer, as many as a piece holds, and repacks them from there.
 *
 * @param repack returns 0, or 1 + the index of the first damaged block among those rows.
 * @throws BitNetError FILE_CORRUPT for a damaged block.
 */
export async function repackRows(
  packing: Packing,
  tensor: TensorInfo,
  { rows, region, rowBytes = tensor.bytes / rows }: RepackedMatrix,
  repack: (rows: StagedRows) => number,
): Promise<void> {
  const { memories } = packing;
  const pieceRows = Math.min(rows, Math.max(1, Math.floor(pieceBytes / rowBytes)));
  const address = memories.allocate(region, pieceRows * rowBytes, `reading tensor "${tensor.name}"`);
  try {
    for (let row = 0; row < rows; row += pieceRows) {
      throwIfAborted(packing.signal);
      const count = Math.min(pieceRows, rows - row);
      const bytes = count * rowBytes;
      await tensor.source.readInto(tensor.offset + row * rowBytes, memories.view({ region, address }, bytes));
      const bad = repack({ address, row, count });
      if (bad !== 0) throw damagedBlock(packing, tensor, row * rowBytes, bad - 1);
      packing.onBytes(bytes);
    }
  } finally {
    memories.free(region, address);
  }
}

function damagedBlock(packing: Packing, tensor: TensorInfo, begin: number, block: number): Error {
  const { format } = tensor;
  const blockBytes = format?.tensorBytes(format.blockElements) ?? 0;
  const at = begin + block * blockBytes;
  const index = blockBytes === 0 ? 0 : (at / blockBytes) * (format?.blockElements ?? 0);
  const problem = `the block of ${tensor.type} from element ${index} on has a scale that is not finite, or a code that stands for no weight`;
  return corrupt(packing, tensor, at, problem, index);
}
