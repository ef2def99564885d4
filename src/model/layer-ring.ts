import type { ModelDescription } from "../architectures/description.js";
import { BitNetError } from "../errors.js";
import { packingBytes, packMatrix } from "../packing/pack.js";
import type { PackedMatrix } from "../packing/packed.js";
import type { Packing } from "../packing/packing.js";
import { createBlocks } from "../wasm/blocks.js";
import type { Location, Memories } from "../wasm/memory.js";
import { allAtOnce } from "./all-at-once.js";
import { type LayerProjections, projectionNames } from "./model.js";
import { streamGoal, type StreamPlan } from "./stream-plan.js";

/** Slots in wasm memory that hold streamed layers in turns. A layer has the same slot every time. */
export interface LayerRing {
  readonly plan: StreamPlan;
  readonly slots: number;
  /** The slot of a streamed layer, by its index among them. */
  slotOf(streamed: number): number;
  /** The region of a layer's slot. Undefined for a layer that stays in memory. */
  regionOf(layer: number): number | undefined;
  /** Packs a layer's matrices into its slot for the first time. They get the same addresses every time. */
  pack(packing: Packing, layer: number): Promise<LayerProjections<PackedMatrix>>;
  /**
   * Reads a streamed layer into its slot again.
   * @param streamed its index among the streamed layers.
   * @throws BitNetError FILE_READ if the file cannot be read or has other weights now; FILE_CORRUPT.
   */
  refill(packing: Packing, streamed: number): Promise<void>;
}

/** @param regions the region of each slot. */
export function createLayerRing(
  { file, memories }: Pick<Packing, "file" | "memories">,
  description: ModelDescription,
  plan: StreamPlan,
  regions: readonly number[],
): LayerRing {
  const slots: readonly Location[] = regions.map((region) => ({
    region,
    address: memories.allocate(region, plan.slotBytes, "layers that are streamed"),
  }));
  const packed = new Map<number, LayerProjections<PackedMatrix>>();
  const slotOf = (streamed: number): number => streamed % slots.length;

  function locationOf(layer: number): Location | undefined {
    const streamed = plan.layers.indexOf(layer);
    return streamed < 0 ? undefined : slots[slotOf(streamed)];
  }

  async function read(packing: Packing, layer: number): Promise<LayerProjections<PackedMatrix>> {
    const roles = description.layers[layer];
    const slot = locationOf(layer);
    if (roles === undefined || slot === undefined) throw new RangeError(`layer ${layer} is not streamed`);
    const failed = new AbortController();
    const signal =
      packing.signal === undefined ? failed.signal : AbortSignal.any([packing.signal, failed.signal]);
    let { address } = slot;
    const matrices = projectionNames.map((name) => {
      const role = roles[name].matrix;
      const goal = streamGoal(file, role);
      const bytes = packingBytes(file, role, goal);
      // Each matrix has a part of the slot, because all are packed at once and take turns in any order.
      const part = memoriesWithin(memories, { first: address, end: address + bytes });
      address += bytes;
      const within = { ...packing, goal, memories: part, signal };
      return [name, packMatrix(within, role, slot.region)] as const;
    });
    return allAtOnce(failed, Object.fromEntries(matrices) as LayerProjections<Promise<PackedMatrix>>);
  }

  return {
    plan,
    slots: slots.length,
    slotOf,
    regionOf: (layer) => locationOf(layer)?.region,
    async pack(packing, layer): Promise<LayerProjections<PackedMatrix>> {
      const matrices = await read(packing, layer);
      packed.set(layer, matrices);
      return matrices;
    },
    async refill(packing, streamed): Promise<void> {
      const layer = plan.layers[streamed] ?? -1;
      const matrices = await read(packing, layer);
      const before = packed.get(layer);
      if (projectionNames.every((name) => isSame(matrices[name], before?.[name]))) return;
      throw new BitNetError(
        "FILE_READ",
        `Cannot read layer ${layer} of "${file.source.name}" again: its weights have changed since the model was loaded; load the model again`,
        { details: { layer } },
      );
    },
  };
}

/** Memories whose allocations come from one range of addresses. */
function memoriesWithin(
  memories: Memories,
  range: { readonly first: number; readonly end: number },
): Memories {
  const blocks = createBlocks(range);
  return {
    ...memories,
    allocate(_, bytes, purpose): number {
      const address = blocks.allocate(bytes);
      if (address !== undefined) return address;
      throw new BitNetError(
        "OUT_OF_MEMORY",
        `Cannot stream layers: ${purpose} needs more memory than planned, because its weights are larger than usual; load the model without stream`,
        { details: { bytes, availableBytes: blocks.restBytes } },
      );
    },
    fits: (_, bytes) => blocks.fits(bytes),
    free: (_, address) => blocks.free(address),
  };
}

/** The workers keep the numbers of the first time. */
function isSame(now: PackedMatrix, before: PackedMatrix | undefined): boolean {
  const keys = ["address", "layout", "scale", "records"] as const;
  return keys.every((key) => now[key] === before?.[key]);
}
