/**
 * Reads a byte of every cache line, in order, before kernels jump from row to row: prefetchers do not follow
 * strips of columns and pieces of rows. With values that no cache held, this took 18 % off the whole of
 * attention. Matmuls: docs/KERNELS.md, "Many tokens at once".
 *
 * @param scratch four bytes for a sum, without which the compiler would drop the loads.
 */
// @ts-ignore: decorator
@inline
export function touch(from: usize, bytes: usize, scratch: usize): void {
  let sum: u32 = 0;
  for (const end = from + bytes; from < end; from += 64) sum += load<u8>(from);
  store<u32>(scratch, sum);
}
