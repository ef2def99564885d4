import type { ByteSource } from "../platform/byte-source.js";
import { madeSource } from "./made-source.js";

/**
 * Maps rows of the GGUF matrix to rows of a checkpoint's matrix.
 *
 * Checkpoints rotate element i of a head with element i + half. GGUF's llama family rotates neighbours, and
 * its converters permute the rows of the query and key projections to match. Row 2j + s of a head is row s ·
 * half + j of the checkpoint. Rows never move between heads.
 */
export interface RowOrder {
  /** Rows that must be loaded together: a head. */
  readonly unitRows: number;
  /** The checkpoint's row for a row of the GGUF matrix. */
  inputRow(row: number): number;
}

export const asStored: RowOrder = { unitRows: 1, inputRow: (row) => row };

/** @param headSize rows of a head; even */
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

/** A matrix or vector with its rows in another order than in its file. */
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
