import type { MatrixRole } from "../architectures/index.js";
import { BitNetError, throwIfAborted } from "../errors.js";
import type { TensorInfo } from "../files/model-file.js";
import type { Place } from "../wasm/memory.js";
import type { Packing } from "./pack.js";
import type { PackedMatrix } from "./packed.js";

/**
 * A compact int8 copy of an F16 output head, and for each row how far it may be from the truth: enough to tell which few rows
 * of the file can hold the largest logits. The rows themselves stay in the file.
 */
export interface HeadScreen {
  readonly matrix: PackedMatrix;
  /** Per row two f32: at least ‖w − ŵ‖₂ and at least ‖w‖₂. In the matrix's region. */
  readonly boundsAddress: number;
}

/** One piece of the work, for a team to share by rows. Addresses are in `region`. */
export interface PackHalvesWork {
  readonly region: number;
  readonly halves: number;
  readonly rows: number;
  readonly cols: number;
  readonly output: number;
  readonly records: number;
  readonly bounds: number;
  /** For each member: [cols] f32, where the member also leaves the largest magnitude that it has seen. */
  readonly scratch: readonly number[];
}

/** Bytes of the file that are packed while the next are read; two such buffers exist while a head is packed. */
const pieceBytes = 8 << 20;
/** Above this, a half has no rebiased form (assembly/simd/half), and single rows could not be scored as the whole head is. */
const largestWeight = 128;

/** Whether a matrix can be screened: F16, with columns that the kernels take. */
export function canScreen(tensor: TensorInfo | undefined, role: MatrixRole): boolean {
  return (
    tensor?.type === "F16" && role.outputScale === undefined && role.cols % 16 === 0 && role.cols <= 1 << 16
  );
}

/** Bytes of wasm memory that a screen takes. */
export function screenBytes({ rows, cols }: MatrixRole): number {
  return rows * (cols + 16);
}

/**
 * Reads an F16 matrix once and keeps its screen.
 *
 * @param share has the team do one piece of work.
 * @returns undefined if the matrix holds a value that cannot be screened; nothing stays taken then.
 */
export async function packScreen(
  packing: Packing,
  role: MatrixRole,
  region: number,
  members: number,
  share: (work: PackHalvesWork) => Promise<void>,
): Promise<HeadScreen | undefined> {
  const { memories, file } = packing;
  const tensor = file.tensors.get(role.tensor);
  if (tensor === undefined) throw new BitNetError("MODEL_INVALID", `tensor "${role.tensor}" is missing`);
  const { rows, cols } = role;
  const take = (bytes: number): number => memories.allocate(region, bytes, "the output head");
  const address = take(rows * cols);
  const records = take(rows * 8);
  const bounds = take(rows * 8);
  const pieceRows = Math.max(1, Math.min(rows, Math.floor(pieceBytes / (cols * 2))));
  const staging = [take(pieceRows * cols * 2), take(pieceRows * cols * 2)] as const;
  const scratch = Array.from({ length: members }, () => take(cols * 4));

  let largest = 0;
  let sharing: Promise<void> = Promise.resolve();
  try {
    for (let row = 0, piece = 0; row < rows; row += pieceRows, piece += 1) {
      throwIfAborted(packing.signal);
      const count = Math.min(pieceRows, rows - row);
      const halves = piece % 2 === 0 ? staging[0] : staging[1];
      await tensor.source.readInto(
        tensor.offset + row * cols * 2,
        memories.view({ region, address: halves }, count * cols * 2),
      );
      await sharing;
      // Members pack this piece while the next one is read into the other buffer.
      sharing = share({
        region,
        halves,
        rows: count,
        cols,
        output: address + row * cols,
        records: records + row * 8,
        bounds: bounds + row * 8,
        scratch,
      }).then(() => {
        for (const at of scratch) largest = Math.max(largest, readFloat(packing, { region, address: at }));
      });
      // It is awaited one piece later; a failure until then must not count as unhandled.
      sharing.catch(() => undefined);
      packing.onBytes(count * cols * 2);
    }
    await sharing;
  } finally {
    await sharing.catch(() => undefined);
    for (const at of [...staging, ...scratch]) memories.free(region, at);
  }
  if (largest >= largestWeight) {
    for (const at of [address, records, bounds]) memories.free(region, at);
    packing.onBytes(-rows * cols * 2);
    return undefined;
  }
  return {
    matrix: { region, address, layout: "int8-rows", rows, cols, scale: 1, records },
    boundsAddress: bounds,
  };
}

function readFloat(packing: Packing, place: Place): number {
  const bytes = packing.memories.view(place, 4);
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
}
