import { BitNetError } from "../errors.js";

/**
 * @throws BitNetError FILE_READ unless `length` bytes at `offset` lie wholly inside a file of `size` bytes.
 */
export function requireRange(name: string, size: number, offset: number, length: number): void {
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (valid && offset + length <= size) return;
  throw new BitNetError(
    "FILE_READ",
    `Cannot read ${length} bytes at ${offset} of "${name}": it has ${size} bytes`,
    { details: { offset, length, size } },
  );
}

/**
 * New zeroed memory for a read.
 * @throws BitNetError OUT_OF_MEMORY where the host would throw a RangeError.
 */
export function allocateBytes(name: string, length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new BitNetError("OUT_OF_MEMORY", `Cannot hold ${length} bytes of "${name}" in memory at once`, {
      cause,
      details: { length },
    });
  }
}
