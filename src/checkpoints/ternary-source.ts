import type { ByteSource } from "../platform/byte-source.js";
import { i2sTailBytes } from "../weight-formats/i2-s.js";
import { madeSource } from "./made-source.js";
import type { RowOrder } from "./row-order.js";

/** A ternary matrix of a checkpoint, in any stored form. */
export interface TernaryMatrix {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  /** d of w = d · (−1, 0 or 1). */
  scale(): Promise<number>;
  /**
   * Loads the checkpoint's rows [begin, end).
   * @returns a function that writes one of them in I2_S order, cols / 4 bytes
   */
  load(begin: number, end: number): Promise<(row: number, target: Uint8Array) => void>;
}

/** Rows are loaded together up to this many weights. */
const loadedWeights = 2 ** 20;

/** The matrix as the bytes of an I2_S tensor (weight-formats/i2-s.ts). `cols` is a multiple of 128. */
export function ternarySource(matrix: TernaryMatrix, order: RowOrder): ByteSource {
  const { name, rows, cols } = matrix;
  const { unitRows } = order;
  const rowBytes = cols / 4;
  const loadedRows = Math.max(1, Math.floor(loadedWeights / cols / unitRows)) * unitRows;
  // A target may be shared memory at any address, so rows are made here and copied.
  const row = new Uint8Array(rowBytes);

  return madeSource({
    name,
    units: rows / unitRows,
    unitBytes: unitRows * rowBytes,
    async make(first, target) {
      const begin = first * unitRows;
      const end = begin + target.length / rowBytes;
      for (let loaded = begin; loaded < end; loaded += loadedRows) {
        const loadedEnd = Math.min(end, loaded + loadedRows);
        const write = await matrix.load(loaded, loadedEnd);
        for (let index = loaded; index < loadedEnd; index += 1) {
          write(order.inputRow(index), row);
          target.set(row, (index - begin) * rowBytes);
        }
      }
    },
    tail: {
      bytes: i2sTailBytes,
      async make() {
        const tail = new Float32Array(i2sTailBytes / 4);
        tail.fill(await matrix.scale());
        return new Uint8Array(tail.buffer);
      },
    },
  });
}
