import { BitNetError } from "../errors.js";
import type { WeightFormat } from "./weight-format.js";

/**
 * @throws BitNetError INVALID_ARGUMENT unless `bytes` is exactly as long as `elements` numbers of `format`.
 */
export function requireTensorBytes(format: WeightFormat, bytes: Uint8Array, elements: number): void {
  requireElements(format, elements);
  const expected = format.tensorBytes(elements);
  if (bytes.length === expected) return;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot decode ${elements} elements of ${format.name}: expected ${expected} bytes, got ${bytes.length}`,
    { details: { expected, actual: bytes.length } },
  );
}

/** @throws BitNetError INVALID_ARGUMENT unless `elements` is a whole, non-negative number of blocks. */
export function requireElements(format: WeightFormat, elements: number): void {
  if (Number.isSafeInteger(elements) && elements >= 0 && elements % format.blockElements === 0) return;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `${format.name} holds whole blocks of ${format.blockElements} elements; ${elements} is not a multiple`,
    { details: { elements, blockElements: format.blockElements } },
  );
}

/** A DataView over exactly the bytes of `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
