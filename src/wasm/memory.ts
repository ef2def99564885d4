import { BitNetError } from "../errors.js";

/** Memories grow by whole pages. */
export const pageBytes = 65536;
/** A wasm32 memory can be no larger. */
export const largestRegionBytes: number = 65536 * pageBytes;
/** Never handed out: a block that ended at 4 GiB would have the end address 0, and a kernel that walks up to it would do nothing. */
const lastUsableByte = largestRegionBytes - 64;
/** The first page belongs to the modules' static data (asconfig.json: lowMemoryLimit). */
const firstFreeByte = pageBytes;

/** Where something lies: a region's number and a byte address in it. Plain data, so that it can be sent to threads. */
export interface Place {
  readonly region: number;
  readonly address: number;
}

/** One shared WebAssembly memory and what is in use of it. It grows as needed and never shrinks; freed space is used again. */
export interface Region {
  readonly index: number;
  readonly memory: WebAssembly.Memory;
  /** Bytes handed out and not given back. */
  readonly usedBytes: number;
}

/**
 * The memories of one model. A kernel works inside one memory, so things that meet in a kernel are put in one region; a
 * model too large for one wasm32 memory takes several.
 */
export interface Memories {
  readonly regions: readonly Region[];
  /** Adds a memory. */
  addRegion(): Region;
  /**
   * Takes `bytes` (0 … 4 GiB) in a region, aligned to 64 and zero when never used before.
   * @throws BitNetError OUT_OF_MEMORY if the region or the host has no room.
   */
  allocate(region: number, bytes: number, purpose: string): number;
  /** Whether `allocate` could find room within the region's limit; the host may still refuse. */
  fits(region: number, bytes: number): boolean;
  /** Gives back what `allocate` returned. */
  free(region: number, address: number): void;
  /** Lets go of every memory; nothing may be used any more. */
  dispose(): void;
  /** The bytes at a place, as they are now in shared memory. */
  view(place: Place, bytes: number): Uint8Array<SharedArrayBuffer>;
}

/** As much of `Memories` as taking and giving back needs: real ones, or ones that only count. */
export interface Allocator extends Pick<Memories, "allocate" | "free"> {
  readonly regions: readonly Pick<Region, "index">[];
}

/** Regions that hold nothing and count what is taken, for saying what something would take. */
export function createCountingAllocator(regions: number): Allocator & { takenBytes(): number } {
  let taken = 0;
  return {
    regions: Array.from({ length: regions }, (_, index) => ({ index })),
    allocate(_, bytes) {
      taken += roundUp(bytes);
      return 0;
    },
    free: () => undefined,
    takenBytes: () => taken,
  };
}

interface Block {
  readonly address: number;
  readonly bytes: number;
}

interface RegionState {
  readonly index: number;
  readonly memory: WebAssembly.Memory;
  usedBytes: number;
  /** Everything below has been handed out at some time. */
  top: number;
  /** Given back, by ascending address, neighbours merged. */
  readonly gaps: Block[];
  readonly taken: Map<number, Block>;
}

/** @param regionBytes most bytes a region may grow to: a multiple of 64 KiB up to 4 GiB.
 */
export function createMemories(regionBytes: number = largestRegionBytes): Memories {
  const maximum = Math.min(regionBytes, largestRegionBytes) / pageBytes;
  const limit = Math.min(regionBytes, lastUsableByte);
  const regions: RegionState[] = [];

  function state(index: number): RegionState {
    const region = regions[index];
    if (region === undefined) throw new RangeError(`no memory region ${index}`);
    return region;
  }

  function growTo(region: RegionState, end: number, purpose: string): void {
    const have = region.memory.buffer.byteLength;
    if (end <= have) return;
    try {
      region.memory.grow(Math.ceil((end - have) / pageBytes));
    } catch (cause) {
      throw new BitNetError("OUT_OF_MEMORY", `Cannot get ${describe(end - have)} of memory for ${purpose}`, {
        cause,
      });
    }
  }

  return {
    regions,
    addRegion(): Region {
      let memory: WebAssembly.Memory;
      try {
        memory = new WebAssembly.Memory({ initial: 1, maximum, shared: true });
      } catch (cause) {
        throw new BitNetError("OUT_OF_MEMORY", "The host refuses another WebAssembly memory", { cause });
      }
      const region: RegionState = {
        index: regions.length,
        memory,
        usedBytes: 0,
        top: firstFreeByte,
        gaps: [],
        taken: new Map(),
      };
      regions.push(region);
      return region;
    },
    fits(index: number, bytes: number): boolean {
      const region = state(index);
      const size = roundUp(bytes);
      return region.top + size <= limit || region.gaps.some((gap) => gap.bytes >= size);
    },
    allocate(index: number, bytes: number, purpose: string): number {
      const region = state(index);
      const size = roundUp(bytes);
      const gapIndex = region.gaps.findIndex((gap) => gap.bytes >= size);
      const gap = region.gaps[gapIndex];
      let address: number;
      if (gap !== undefined) {
        address = gap.address;
        if (gap.bytes === size) region.gaps.splice(gapIndex, 1);
        else region.gaps[gapIndex] = { address: address + size, bytes: gap.bytes - size };
      } else {
        address = region.top;
        if (address + size > limit) {
          throw new BitNetError(
            "OUT_OF_MEMORY",
            `Cannot fit ${describe(bytes)} for ${purpose}: ${describe(limit - address)} of a memory of ${describe(limit)} are left`,
            { details: { bytes, availableBytes: limit - address } },
          );
        }
        growTo(region, address + size, purpose);
        region.top = address + size;
      }
      region.taken.set(address, { address, bytes: size });
      region.usedBytes += size;
      return address;
    },
    free(index: number, address: number): void {
      const region = state(index);
      const block = region.taken.get(address);
      if (block === undefined) return;
      region.taken.delete(address);
      region.usedBytes -= block.bytes;
      giveBack(region, block);
    },
    dispose(): void {
      regions.length = 0;
    },
    view(place: Place, bytes: number): Uint8Array<SharedArrayBuffer> {
      return new Uint8Array(state(place.region).memory.buffer as SharedArrayBuffer, place.address, bytes);
    },
  };
}

/** Adds a block to the gaps, merging neighbours; a gap at the top lowers the top. */
function giveBack(region: RegionState, block: Block): void {
  const { gaps } = region;
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
  if (address + bytes === region.top) {
    region.top = address;
    gaps.splice(from, count);
  } else gaps.splice(from, count, { address, bytes });
}

function endOf(block: Block): number {
  return block.address + block.bytes;
}

/** Blocks are whole cache lines, so that threads that write neighbouring blocks do not share one. */
function roundUp(bytes: number): number {
  return Math.max(64, Math.ceil(bytes / 64) * 64);
}

function describe(bytes: number): string {
  return bytes >= 1 << 30 ? `${(bytes / (1 << 30)).toFixed(2)} GiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}
