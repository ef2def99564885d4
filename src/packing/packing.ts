import { BitNetError, throwIfAborted } from "../errors.js";
import type { ModelFile, TensorInfo } from "../files/model-file.js";
import type { Kernels } from "../wasm/kernels.js";
import type { Memories } from "../wasm/memory.js";

/**
 * Bytes read before the event loop gets a turn: a few ms of work. A multiple of the size of every number
 * type.
 */
export const pieceBytes: number = 4 << 20;

/**
 * The goal that layouts are chosen by. "fast": ternary weights in two bits. "small": in base 3, five in a
 * byte, where that is smaller. The results have the same bits.
 */
export type PackingGoal = "fast" | "small";

/** The file, the memories and the kernels that packing works with. */
export interface Packing {
  readonly file: ModelFile;
  readonly memories: Memories;
  readonly goal: PackingGoal;
  /** The calling thread's kernels of a region. */
  kernels(region: number): Kernels;
  /** Called with the number of bytes of the file that were just packed. */
  onBytes(count: number): void;
  readonly signal: AbortSignal | undefined;
}

/**
 * @param begin byte of the tensor where it is damaged.
 * @param index of the damaged element, or of the first element of the damaged block, if known.
 */
export function corrupt(
  packing: Packing,
  tensor: TensorInfo,
  begin: number,
  problem: string,
  index?: number,
): BitNetError {
  const offset = tensor.offset + begin;
  return new BitNetError(
    "FILE_CORRUPT",
    `Cannot load "${packing.file.source.name}": tensor "${tensor.name}" is damaged at byte ${offset}: ${problem}`,
    { details: { offset, tensor: tensor.name, ...(index !== undefined && { index }) } },
  );
}

/** A piece of a tensor in wasm memory. */
export interface Piece {
  readonly address: number;
  readonly bytes: number;
  /** First byte of the piece in the tensor. */
  readonly begin: number;
}

/**
 * Allocates `bytes` and reads the tensor's first `bytes` bytes there, piece by piece.
 * @returns the address.
 */
export async function readIntoMemory(
  packing: Packing,
  tensor: TensorInfo,
  { region, bytes }: { readonly region: number; readonly bytes: number },
  onPiece: (piece: Piece) => void,
): Promise<number> {
  const { memories } = packing;
  const first = memories.allocate(region, bytes, `tensor "${tensor.name}"`);
  for (let begin = 0; begin < bytes; begin += pieceBytes) {
    throwIfAborted(packing.signal);
    const piece = { address: first + begin, bytes: Math.min(pieceBytes, bytes - begin), begin };
    await tensor.source.readInto(
      tensor.offset + begin,
      memories.view({ region, address: piece.address }, piece.bytes),
    );
    onPiece(piece);
    packing.onBytes(piece.bytes);
  }
  packing.onBytes(tensor.bytes - bytes);
  return first;
}
