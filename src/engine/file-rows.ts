import type { TensorInfo } from "../files/model-file.js";
import type { Kernels } from "../wasm/kernels.js";
import type { Memories } from "../wasm/memory.js";
import { createCallQueue } from "./call-queue.js";

/** An F16 matrix [rows, cols] whose rows are read from the file when they are needed, a few at a time. */
export interface FileRows {
  /** Writes rows as f32, `cols · 4` bytes apart, at `outputAddress`. */
  widen(ids: readonly number[], outputAddress: number): Promise<void>;
  /**
   * W[id] · x for each id, with the bits of a matmul over the whole head in memory.
   * @param inputAddress f32 [cols] in the same region.
   */
  multiply(ids: readonly number[], inputAddress: number): Promise<Float32Array>;
}

/** Rows that are read and multiplied together. */
const batchRows = 256;

/** Bytes that `createFileRows` allocates. */
export function fileRowsBytes(cols: number): number {
  return batchRows * (cols * 2 + 4);
}

/** Allocates a few megabytes of `region` for staged rows. */
export function createFileRows(parts: {
  readonly tensor: TensorInfo;
  readonly cols: number;
  readonly region: number;
  readonly memories: Memories;
  /** Called at each use: a disposed model must not keep an instance and with it its memory. */
  readonly kernels: () => Kernels;
}): FileRows {
  const { tensor, cols, region, memories, kernels } = parts;
  const { source } = tensor;
  const rowBytes = cols * 2;
  const staging = memories.allocate(region, batchRows * rowBytes, "rows of the output head");
  const results = memories.allocate(region, batchRows * 4, "rows of the output head");

  async function read(ids: readonly number[]): Promise<void> {
    const offsets = ids.map((id) => tensor.offset + id * rowBytes);
    const target = (index: number): Uint8Array =>
      memories.view({ region, address: staging + index * rowBytes }, rowBytes);
    if (source.readIntoNow === undefined) {
      await Promise.all(offsets.map((offset, index) => source.readInto(offset, target(index))));
    } else {
      for (const [index, offset] of offsets.entries()) source.readIntoNow(offset, target(index));
    }
  }

  // The staging buffer holds one batch, so calls run one after another.
  const queue = createCallQueue();

  return {
    widen: (ids, outputAddress) =>
      queue.run(async () => {
        for (let begin = 0; begin < ids.length; begin += batchRows) {
          const batch = ids.slice(begin, begin + batchRows);
          await read(batch);
          kernels().widen_f16(staging, outputAddress + begin * cols * 4, batch.length * cols);
        }
      }),
    multiply: (ids, inputAddress) =>
      queue.run(async () => {
        const dots = new Float32Array(ids.length);
        for (let begin = 0; begin < ids.length; begin += batchRows) {
          const batch = ids.slice(begin, begin + batchRows);
          const count = batch.length;
          await read(batch);
          kernels().pack_f16(staging, staging, count * cols);
          // prettier-ignore
          kernels().matmul_f16_f32(staging, cols, 0, count, inputAddress, cols * 4, 1, results, count * 4, 1, 0);
          const bytes = memories.view({ region, address: results }, count * 4);
          dots.set(new Float32Array(bytes.buffer, bytes.byteOffset, count), begin);
        }
        return dots;
      }),
  };
}
