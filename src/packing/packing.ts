import type { MatrixRole } from "../architectures/description.js";
import { BitNetError } from "../errors.js";
import type { ModelFile, TensorInfo } from "../files/model-file.js";
import type { Kernels } from "../wasm/kernels.js";
import type { Memories } from "../wasm/memory.js";
import type { PackedMatrix } from "./packed.js";

/** Bytes read before the event loop gets a turn: a few milliseconds of work. A multiple of every size of a number. */
export const pieceBytes: number = 4 << 20;

/** What packing needs to know and to tell. */
export interface Packing {
  readonly file: ModelFile;
  readonly memories: Memories;
  /** The calling thread's kernels of a region. */
  kernels(region: number): Kernels;
  /** Called with the number of bytes of the file just dealt with. */
  onBytes(count: number): void;
  readonly signal: AbortSignal | undefined;
}

/** One way from a disk format to a layout. */
export interface Packer {
  /** Bytes the packed matrix takes, all its parts together. */
  packedBytes(rows: number, cols: number): number;
  pack(packing: Packing, tensor: TensorInfo, role: MatrixRole, region: number): Promise<PackedMatrix>;
}

/** @param begin byte of the tensor where it is damaged. */
export function corrupt(packing: Packing, tensor: TensorInfo, begin: number, problem: string): BitNetError {
  const offset = tensor.offset + begin;
  return new BitNetError(
    "FILE_CORRUPT",
    `Cannot load "${packing.file.source.name}": tensor "${tensor.name}" is damaged at byte ${offset}: ${problem}`,
    { details: { offset, tensor: tensor.name } },
  );
}
