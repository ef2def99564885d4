import { BitNetError } from "../../errors.js";
import type { Cache } from "../../engine/engine.js";
import { commonPrefix } from "./step-plan.js";

/** A place for one sequence at a time. What the last one left in its cache stays, for those that begin alike. */
export interface Slot {
  readonly cache: Cache;
  /** The tokens that are in the cache, from its beginning. */
  readonly tokens: number[];
}

/** The places of a scheduler; each takes memory when it is first needed. */
export interface Slots {
  /** Those that have memory, taken or free. */
  readonly open: readonly Slot[];
  /**
   * Takes a place for a sequence; its `tokens` are cut to what it has in common with the sequence.
   *
   * @param history at least one token; the last will be evaluated in any case.
   * @returns undefined if all are taken.
   * @throws BitNetError OUT_OF_MEMORY if there is no memory for even one; DISPOSED.
   */
  take(history: readonly number[]): Slot | undefined;
  release(slot: Slot): void;
  dispose(): void;
}

interface Place extends Slot {
  taken: boolean;
  /** Grows from use to use. */
  lastUse: number;
}

/** @param openCache takes the memory of a place. */
export function createSlots(count: number, openCache: () => Cache): Slots {
  const places: Place[] = [];
  let uses = 0;

  function openPlace(): Place | undefined {
    if (places.length >= count) return undefined;
    try {
      const place = { cache: openCache(), tokens: [], taken: false, lastUse: 0 };
      places.push(place);
      return place;
    } catch (error) {
      const full = error instanceof BitNetError && error.code === "OUT_OF_MEMORY";
      if (!full || places.length === 0) throw error;
      // Those that there are must do.
      return undefined;
    }
  }

  /**
   * The free place that is least missed: one whose tokens the sequence begins with, if that is most of what it has and no
   * other place has more; else a new one, else the one that has not been used for longest.
   */
  function choose(history: readonly number[]): Place | undefined {
    const shared = (place: Place): number => commonPrefix(history, place.tokens, history.length - 1);
    const free = places.filter((place) => !place.taken);
    const longest = Math.max(0, ...places.map(shared));
    const continued = free.find((place) => longest > 0 && shared(place) === longest);
    if (continued !== undefined && 2 * longest >= continued.tokens.length) return continued;
    // What it has in common with others can be copied; so the one to copy from goes last.
    const others = free.filter((place) => place !== continued).sort((a, b) => a.lastUse - b.lastUse);
    return openPlace() ?? others[0] ?? continued;
  }

  return {
    open: places,
    take(history): Slot | undefined {
      const place = choose(history);
      if (place === undefined) return undefined;
      place.tokens.length = commonPrefix(history, place.tokens, history.length - 1);
      place.taken = true;
      return place;
    },
    release(slot): void {
      const place = places.find((known) => known === slot);
      if (place === undefined) return;
      place.taken = false;
      place.lastUse = uses += 1;
    },
    dispose(): void {
      for (const { cache } of places) cache.dispose();
      places.length = 0;
    },
  };
}
