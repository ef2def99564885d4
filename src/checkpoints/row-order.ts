import type { ByteSource } from "../platform/byte-source.js";
import { madeSource } from "./made-source.js";

/**
 * Which row of a checkpoint's matrix is a row of the GGUF one.
 *
 * Checkpoints turn element i of a head with element i + half; GGUF's llama family turns neighbours, and its converters
 * permute the rows of the query and key projections to match: row 2j + s of a head is row s · half + j of the checkpoint.
 * Whole heads trade no rows with one another.
 */
export interface RowOrder {
  /** Rows that have to be at hand together: a head. */
  readonly unitRows: number;
  /** The checkpoint's row for a row of the GGUF matrix. */
  inputRow(row: number): number;
}

export const asStored: RowOrder = { unitRows: 1, inputRow: (row) => row };

/** @param headSize rows of a head; even. */
export function neighboursTogether(headSize: number): RowOrder {
  const half = headSize / 2;
  return {
    unitRows: headSize,
    inputRow(row) {
      const inHead = row % headSize;
      return row - inHead + (inHead % 2) * half + Math.floor(inHead / 2);
    },
  };
}

/** A matrix or vector whose rows have another order than in its file. */
export function reorderedSource(
  stored: { readonly source: ByteSource; readonly offset: number },
  rows: number,
  rowBytes: number,
  order: RowOrder,
): ByteSource {
  const { unitRows } = order;
  const unitBytes = unitRows * rowBytes;
  return madeSource({
    name: stored.source.name,
    units: rows / unitRows,
    unitBytes,
    async make(first, target) {
      const input = await stored.source.read(stored.offset + first * unitBytes, target.length);
      const firstRow = first * unitRows;
      for (let at = 0; at < target.length; at += rowBytes) {
        const from = (order.inputRow(firstRow + at / rowBytes) - firstRow) * rowBytes;
        target.set(input.subarray(from, from + rowBytes), at);
      }
    },
  });
}
