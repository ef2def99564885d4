import type { MatrixRole } from "../architectures/description.js";
import { BitNetError, throwIfAborted } from "../errors.js";
import type { TensorInfo } from "../files/model-file.js";
import type { Location } from "../wasm/memory.js";
import { matrixBytes } from "./layouts/index.js";
import { int8Rows } from "./layouts/int8-rows.js";
import type { PackedMatrix } from "./packed.js";
import type { Packing } from "./packing.js";

/**
 * A compact int8 copy of an F16 output head with an error bound per row. It suffices to find the few rows
 * that can hold the largest logits; those rows are then read from the file.
 */
export interface HeadScreen {
  readonly matrix: PackedMatrix;
  /** Address of [rows] {f32 ≥ ‖w − ŵ‖₂, f32 ≥ ‖w‖₂}, in the matrix's region. */
  readonly boundsAddress: number;
}

/** One piece of a head for a team to pack by rows. Addresses are in `region`. */
export interface PackHalvesWork {
  readonly region: number;
  /** IEEE halves [rows, cols]. */
  readonly halves: number;
  readonly rows: number;
  readonly cols: number;
  /** int8 [rows, cols]. */
  readonly output: number;
  /** [rows] {f32 scale, i32 sum}. */
  readonly records: number;
  /** [rows] {f32, f32}, as `HeadScreen.boundsAddress`. */
  readonly bounds: number;
  /** For each worker an f32: there it leaves the largest magnitude of its rows. */
  readonly largest: readonly number[];
}

/** Bytes of a piece. Two buffers of this size exist meanwhile: the team packs one while the other is read. */
const pieceBytes = 8 << 20;
/**
 * Halves from here on have no raised exponent (assembly/simd/half): single rows could not be scored as a
 * whole head is.
 */
const weightLimit = 128;
/** Bytes of a row's two bounds. */
const boundsBytes = 8;

/** Whether a matrix can be screened: F16, with columns that the kernels take. */
export function canScreen(tensor: TensorInfo | undefined, role: MatrixRole): boolean {
  return (
    tensor?.type === "F16" && role.outputScale === undefined && role.cols % 16 === 0 && role.cols <= 1 << 16
  );
}

/** Bytes of wasm memory that a screen takes. */
export function screenBytes({ rows, cols }: MatrixRole): number {
  return matrixBytes({ layout: int8Rows.name, rows, cols }) + rows * boundsBytes;
}

/** Bytes of a worker's result: a cache line of its own. */
const resultBytes = 64;

/** Bytes of wasm memory that `packScreen` also takes while it works. */
export function screenStagingBytes(role: MatrixRole, workers: number): number {
  return 2 * pieceRowsOf(role) * role.cols * 2 + workers * resultBytes;
}

function pieceRowsOf({ rows, cols }: MatrixRole): number {
  return Math.max(1, Math.min(rows, Math.floor(pieceBytes / (cols * 2))));
}

/**
 * Reads an F16 matrix once and keeps its screen.
 *
 * @param options.workers number of workers that share the work.
 * @param options.share runs one piece of work on the team.
 * @returns undefined if the matrix holds a value that cannot be screened; nothing stays allocated then.
 */
export async function packScreen(
  packing: Packing,
  role: MatrixRole,
  options: {
    readonly region: number;
    readonly workers: number;
    readonly share: (work: PackHalvesWork) => Promise<void>;
  },
): Promise<HeadScreen | undefined> {
  const { region, workers, share } = options;
  const { memories, file } = packing;
  const tensor = file.tensors.get(role.tensor);
  if (tensor === undefined) throw new BitNetError("MODEL_INVALID", `tensor "${role.tensor}" is missing`);
  const { rows, cols } = role;
  const take = (bytes: number): number => memories.allocate(region, bytes, "the output head");
  const address = take(rows * cols);
  const records = take(rows * 8);
  const bounds = take(rows * boundsBytes);
  const pieceRows = pieceRowsOf(role);
  const staging = [take(pieceRows * cols * 2), take(pieceRows * cols * 2)] as const;
  const results = Array.from({ length: workers }, () => take(resultBytes));

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
      // Workers pack this piece while the next one is read into the other buffer.
      sharing = share({
        region,
        halves,
        rows: count,
        cols,
        output: address + row * cols,
        records: records + row * 8,
        bounds: bounds + row * boundsBytes,
        largest: results,
      }).then(() => {
        for (const at of results) largest = Math.max(largest, readFloat(packing, { region, address: at }));
      });
      // Awaited one piece later: a failure before that must not count as unhandled.
      sharing.catch(() => undefined);
      packing.onBytes(count * cols * 2);
    }
    await sharing;
  } finally {
    await sharing.catch(() => undefined);
    for (const at of [...staging, ...results]) memories.free(region, at);
  }
  if (largest >= weightLimit) {
    for (const at of [address, records, bounds]) memories.free(region, at);
    packing.onBytes(-rows * cols * 2);
    return undefined;
  }
  return {
    matrix: { region, address, layout: int8Rows.name, rows, cols, scale: 1, records, lookupSeries: 0 },
    boundsAddress: bounds,
  };
}

function readFloat(packing: Packing, location: Location): number {
  const bytes = packing.memories.view(location, 4);
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
}
