import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BitNetError } from "#dist/errors.js";
import { createSlots, type Slot, type Slots } from "#dist/generation/scheduling/slots.js";
import type { Cache } from "#dist/engine/engine.js";

interface Memory {
  readonly slots: Slots;
  /** Ids of caches in memory. */
  readonly open: Set<number>;
}

/** Slots over a memory for so many caches. */
function createMemory(count: number, room = count): Memory {
  const open = new Set<number>();
  let last = 0;
  const openCache = (): Cache => {
    if (open.size >= room) throw new BitNetError("OUT_OF_MEMORY", "no room");
    const id = (last += 1);
    open.add(id);
    const dispose = (): void => void open.delete(id);
    return {
      plan: { id, contextLength: 100, cachePositions: 100, layers: [] },
      dispose,
      [Symbol.dispose]: dispose,
    };
  };
  return { slots: createSlots(count, openCache), open };
}

/** Takes a slot, writes a text into it, and returns it. */
function write(slots: Slots, tokens: readonly number[]): Slot {
  const slot = slots.take(tokens);
  if (slot === undefined) throw new Error("no slot is free");
  slot.tokens.push(...tokens.slice(slot.tokens.length));
  slots.release(slot);
  return slot;
}

describe("slots", () => {
  it("are never taken twice, hold only what the sequence begins with, and end with all memory free", () => {
    const history = fc.array(fc.nat(2), { minLength: 1, maxLength: 12 });
    const steps = fc.array(fc.oneof(history, fc.nat(20)), { maxLength: 60 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        steps,
        (count, room, todo) => {
          const { slots, open } = createMemory(count, room);
          const taken: Slot[] = [];
          for (const step of todo) {
            if (typeof step === "number") {
              const [slot] = taken.splice(step % Math.max(1, taken.length), 1);
              if (slot !== undefined) slots.release(slot);
              continue;
            }
            const slot = slots.take(step);
            if (slot === undefined) {
              expect(taken.length).toBe(Math.min(count, room));
              continue;
            }
            expect(taken).not.toContain(slot);
            expect(slot.tokens.length).toBeLessThan(step.length);
            expect(slot.tokens).toEqual(step.slice(0, slot.tokens.length));
            slot.tokens.push(...step.slice(slot.tokens.length));
            taken.push(slot);
          }
          expect(open.size).toBeLessThanOrEqual(Math.min(count, room));
          slots.dispose();
          expect(open.size).toBe(0);
        },
      ),
    );
  });

  it("take no memory before they are needed", () => {
    const { slots, open } = createMemory(4);
    expect(open.size).toBe(0);
    write(slots, [1, 2, 3]);
    expect(open.size).toBe(1);
  });

  it("continue a conversation from its end", () => {
    const { slots } = createMemory(3);
    const first = write(slots, [1, 2, 3, 4, 5]);
    write(slots, [9, 8, 7]);
    const next = slots.take([1, 2, 3, 4, 5, 6, 7]);
    expect(next).toBe(first);
    expect(next?.tokens).toEqual([1, 2, 3, 4, 5]);
  });

  it("keep a long text if a new text has little in common with it and another slot is free", () => {
    const { slots } = createMemory(2);
    const long = write(slots, [1, 2, 3, 4, 5, 6, 7, 8]);
    const other = slots.take([1, 2, 9]);
    expect(other).not.toBe(long);
    expect(long.tokens).toHaveLength(8);
    // All other slots are taken, so it must go.
    const last = slots.take([1, 9]);
    expect(last).toBe(long);
    expect(last?.tokens).toEqual([1]);
  });

  it("forget what has not been used for longest", () => {
    const { slots } = createMemory(2);
    const first = write(slots, [1, 1]);
    const second = write(slots, [2, 2]);
    expect(write(slots, [3, 3])).toBe(first);
    expect(write(slots, [4, 4])).toBe(second);
  });

  it("use the available memory, and fail if there is none", () => {
    const { slots } = createMemory(4, 2);
    const [a, b] = [slots.take([1]), slots.take([2])];
    expect(a !== undefined && b !== undefined).toBe(true);
    expect(slots.take([3])).toBeUndefined();
    if (a !== undefined) slots.release(a);
    expect(slots.take([3])).toBe(a);
    expect(() => createMemory(4, 0).slots.take([1])).toThrow(
      expect.objectContaining({ code: "OUT_OF_MEMORY" }),
    );
  });
});
