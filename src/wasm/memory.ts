import { BitNetError } from "../errors.js";
import { type Blocks, blockBytes, createBlocks } from "./blocks.js";

/** Memories grow by whole pages. */
export const pageBytes = 65536;
/** A wasm32 memory can be no larger. */
export const maxRegionBytes: number = 65536 * pageBytes;
/**
 * End of the bytes that blocks may use. A block that ended at 4 GiB would have the end address 0, and a
 * kernel that walks up to its end would do nothing.
 */
const lastUsableByte = maxRegionBytes - 64;
/** The first page belongs to the modules' static data (asconfig.json: lowMemoryLimit). */
const firstFreeByte = pageBytes;

/** A region's index and a byte address in it. Plain data, so that it can be sent to threads. */
export interface Location {
  readonly region: number;
  readonly address: number;
}

/**
 * One shared WebAssembly memory and its use. It grows as needed and never shrinks; freed space is used again.
 */
export interface Region {
  readonly index: number;
  readonly memory: WebAssembly.Memory;
  /** Bytes allocated and not freed. */
  readonly usedBytes: number;
}

/**
 * The memories of one model. A kernel works inside one memory, so all operands of a kernel lie in one region.
 * A model too large for one wasm32 memory takes several.
 */
export interface Memories {
  readonly regions: readonly Region[];
  /** Adds a memory. */
  addRegion(): Region;
  /** Calls `listener` for every region: at once for existing ones, and later for each new one. */
  watchRegions(listener: (region: Region) => void): void;
  /**
   * Allocates `bytes` (0 … 4 GiB) in a region, aligned to 64. Memory that was never used before is zero.
   * @param purpose for the error message: "tensor …".
   * @throws BitNetError OUT_OF_MEMORY if the region or the host has no room.
   */
  allocate(region: number, bytes: number, purpose: string): number;
  /** Whether `allocate` could find room within the region's limit; the host may still refuse. */
  fits(region: number, bytes: number): boolean;
  /** Frees the block that `allocate` returned; does nothing for another address. */
  free(region: number, address: number): void;
  /** Releases every memory; nothing in them may be used any more. */
  dispose(): void;
  /** The shared bytes at a location. */
  view(location: Location, bytes: number): Uint8Array<SharedArrayBuffer>;
}

/** The part of `Memories` that allocates and frees: real, or only counting. */
export interface Allocator extends Pick<Memories, "allocate" | "fits" | "free"> {
  readonly regions: readonly Pick<Region, "index">[];
}

/** Regions without memory that count the allocated bytes, to estimate them. */
export function createCountingAllocator(regions: number): Allocator & { takenBytes(): number } {
  let taken = 0;
  return {
    regions: Array.from({ length: regions }, (_, index) => ({ index })),
    allocate(_, bytes) {
      taken += blockBytes(bytes);
      return 0;
    },
    fits: () => true,
    free: () => undefined,
    takenBytes: () => taken,
  };
}

interface RegionState extends Region {
  readonly blocks: Blocks;
}

/** @param regionBytes maximum bytes of a region: a multiple of 64 KiB, at most 4 GiB. Default: 4 GiB. */
export function createMemories(regionBytes: number = maxRegionBytes): Memories {
  const maximum = Math.min(regionBytes, maxRegionBytes) / pageBytes;
  const limit = Math.min(regionBytes, lastUsableByte);
  const regions: RegionState[] = [];
  const listeners: ((region: Region) => void)[] = [];

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
      throw new BitNetError(
        "OUT_OF_MEMORY",
        `Cannot get ${describeBytes(end - have)} of memory for ${purpose}`,
        {
          cause,
        },
      );
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
      const blocks = createBlocks({ first: firstFreeByte, end: limit });
      const region: RegionState = {
        index: regions.length,
        memory,
        blocks,
        get usedBytes() {
          return blocks.usedBytes;
        },
      };
      regions.push(region);
      for (const listener of listeners) listener(region);
      return region;
    },
    watchRegions(listener): void {
      listeners.push(listener);
      regions.forEach(listener);
    },
    fits: (index, bytes) => state(index).blocks.fits(bytes),
    allocate(index, bytes, purpose): number {
      const region = state(index);
      const address = region.blocks.allocate(bytes, (end) => growTo(region, end, purpose));
      if (address !== undefined) return address;
      const { restBytes } = region.blocks;
      throw new BitNetError(
        "OUT_OF_MEMORY",
        `Cannot fit ${describeBytes(bytes)} for ${purpose}: ${describeBytes(restBytes)} of a memory of ${describeBytes(limit)} are left`,
        { details: { bytes, availableBytes: restBytes } },
      );
    },
    free: (index, address) => state(index).blocks.free(address),
    dispose(): void {
      regions.length = 0;
    },
    view(location: Location, bytes: number): Uint8Array<SharedArrayBuffer> {
      return new Uint8Array(
        state(location.region).memory.buffer as SharedArrayBuffer,
        location.address,
        bytes,
      );
    },
  };
}

/** "12.5 MiB", "3.00 GiB". */
export function describeBytes(bytes: number): string {
  return bytes >= 1 << 30 ? `${(bytes / (1 << 30)).toFixed(2)} GiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}
