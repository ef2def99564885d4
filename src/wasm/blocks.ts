/** Blocks of a range of addresses, aligned to 64. Freed space is used again. */
export interface Blocks {
  /** Bytes allocated and not freed. */
  readonly usedBytes: number;
  /** Bytes after the last block. */
  readonly restBytes: number;
  /** Whether `allocate` would find room. */
  fits(bytes: number): boolean;
  /**
   * The same calls in the same order give the same addresses.
   * @param grow called before the blocks reach further than before, with their new end. It may throw.
   * @returns the address. Undefined if there is no room.
   */
  allocate(bytes: number, grow?: (end: number) => void): number | undefined;
  /** Frees the block that `allocate` returned; does nothing for another address. */
  free(address: number): void;
}

interface Block {
  readonly address: number;
  readonly bytes: number;
}

/** @param range first address, a multiple of 64, and the address after the last. */
export function createBlocks(range: { readonly first: number; readonly end: number }): Blocks {
  const taken = new Map<number, Block>();
  /** Freed blocks by ascending address, neighbours merged. */
  const gaps: Block[] = [];
  let usedBytes = 0;
  /** End of the blocks and gaps. */
  let top = range.first;

  /** Adds a block to the gaps and merges neighbours; a gap at the top lowers the top. */
  function addGap(block: Block): void {
    let at = gaps.findIndex((gap) => gap.address > block.address);
    if (at < 0) at = gaps.length;
    const before = gaps[at - 1];
    const after = gaps[at];
    let { address, bytes } = block;
    let from = at;
    let count = 0;
    if (before !== undefined && endOf(before) === address) {
      ({ address } = before);
      bytes += before.bytes;
      from -= 1;
      count += 1;
    }
    if (after?.address === address + bytes) {
      bytes += after.bytes;
      count += 1;
    }
    if (address + bytes === top) {
      top = address;
      gaps.splice(from, count);
    } else gaps.splice(from, count, { address, bytes });
  }

  return {
    get usedBytes() {
      return usedBytes;
    },
    get restBytes() {
      return range.end - top;
    },
    fits(bytes): boolean {
      const size = blockBytes(bytes);
      return top + size <= range.end || gaps.some((gap) => gap.bytes >= size);
    },
    allocate(bytes, grow): number | undefined {
      const size = blockBytes(bytes);
      const gapIndex = gaps.findIndex((gap) => gap.bytes >= size);
      const gap = gaps[gapIndex];
      const address = gap?.address ?? top;
      if (gap !== undefined) {
        if (gap.bytes === size) gaps.splice(gapIndex, 1);
        else gaps[gapIndex] = { address: address + size, bytes: gap.bytes - size };
      } else {
        if (address + size > range.end) return undefined;
        grow?.(address + size);
        top = address + size;
      }
      taken.set(address, { address, bytes: size });
      usedBytes += size;
      return address;
    },
    free(address): void {
      const block = taken.get(address);
      if (block === undefined) return;
      taken.delete(address);
      usedBytes -= block.bytes;
      addGap(block);
    },
  };
}

function endOf(block: Block): number {
  return block.address + block.bytes;
}

/** Blocks are whole cache lines, so that threads that write neighbouring blocks do not share one. */
export function blockBytes(bytes: number): number {
  return Math.max(64, Math.ceil(bytes / 64) * 64);
}
