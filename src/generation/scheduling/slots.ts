import { BitNetError } from "../../errors.js";
import type { Cache } from "../../engine/engine.js";
import { commonPrefix } from "./step-plan.js";

/**
 * A KV cache for one sequence at a time. It keeps the tokens of its last sequence, for sequences with the
 * same beginning.
 */
export interface Slot {
  readonly cache: Cache;
  /** The tokens in the cache, from its beginning. */
  readonly tokens: number[];
}

/** The slots of a scheduler. The memory of a slot is allocated at its first use. */
export interface Slots {
  /** Slots with memory, taken or free. */
  readonly open: readonly Slot[];
  /**
   * Takes a slot for a sequence and cuts the slot's `tokens` to the prefix that both share.
   *
   * @param history at least one token; the last one is evaluated in any case.
   * @returns undefined if all slots are taken.
   * @throws BitNetError OUT_OF_MEMORY if not even one slot fits memory; DISPOSED.
   */
  take(history: readonly number[]): Slot | undefined;
  release(slot: Slot): void;
  dispose(): void;
}

interface OpenSlot extends Slot {
  taken: boolean;
  /** Number of the last use; later uses have larger numbers. */
  lastUse: number;
}

/**
 * @param maxSlots maximum number of slots.
 * @param openCache allocates the memory of a slot.
 */
export function createSlots(maxSlots: number, openCache: () => Cache): Slots {
  const slots: OpenSlot[] = [];
  let uses = 0;

  function openSlot(): OpenSlot | undefined {
    if (slots.length >= maxSlots) return undefined;
    try {
      const slot = { cache: openCache(), tokens: [], taken: false, lastUse: 0 };
      slots.push(slot);
      return slot;
    } catch (error) {
      const isFull = error instanceof BitNetError && error.code === "OUT_OF_MEMORY";
      if (!isFull || slots.length === 0) throw error;
      // The scheduler goes on with the slots that exist.
      return undefined;
    }
  }

  /**
   * Picks a free slot. First choice is the slot with the longest shared prefix, if no taken slot shares more
   * and the prefix is at least half of the slot's tokens. Else a new slot, else the least recently used one.
   */
  function choose(history: readonly number[]): OpenSlot | undefined {
    const shared = (slot: Slot): number => commonPrefix(history, slot.tokens, history.length - 1);
    const free = slots.filter((slot) => !slot.taken);
    const longest = Math.max(0, ...slots.map(shared));
    const continued = free.find((slot) => longest > 0 && shared(slot) === longest);
    if (continued !== undefined && 2 * longest >= continued.tokens.length) return continued;
    // The prefix can be copied into another slot, so the slot that holds it is the last choice.
    const others = free.filter((slot) => slot !== continued).sort((a, b) => a.lastUse - b.lastUse);
    return openSlot() ?? others[0] ?? continued;
  }

  return {
    open: slots,
    take(history): Slot | undefined {
      const slot = choose(history);
      if (slot === undefined) return undefined;
      slot.tokens.length = commonPrefix(history, slot.tokens, history.length - 1);
      slot.taken = true;
      return slot;
    },
    release(released): void {
      const slot = slots.find((known) => known === released);
      if (slot === undefined) return;
      slot.taken = false;
      uses += 1;
      slot.lastUse = uses;
    },
    dispose(): void {
      for (const { cache } of slots) cache.dispose();
      slots.length = 0;
    },
  };
}
