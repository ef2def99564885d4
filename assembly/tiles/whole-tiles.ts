/** The largest multiple of `size` that is at most `count`. `size` is a constant. */
// @ts-ignore: decorator
@inline
export function wholeTiles(count: usize, size: usize): usize {
  return (size & (size - 1)) == 0 ? count & ~(size - 1) : count - (count % size);
}
