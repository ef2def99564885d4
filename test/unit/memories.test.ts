import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemories, maxRegionBytes } from "#dist/wasm/memory.js";

const page = 65536;

/** The used blocks as a list: the slow model for comparison with the allocator. */
interface Block {
  readonly begin: number;
  readonly end: number;
}

function hasRoom(taken: readonly Block[], bytes: number, limit: number): boolean {
  let free = page;
  for (const { begin, end } of taken.toSorted((a, b) => a.begin - b.begin)) {
    if (begin - free >= bytes) return true;
    free = end;
  }
  return limit - free >= bytes;
}

describe("a region's memory", () => {
  it("never allocates a used block, allocates if there is room, and ends empty", () => {
    const take = fc.record({ take: fc.oneof(fc.nat(300), fc.nat(90_000)) });
    const giveBack = fc.record({ giveBack: fc.nat(1000) });
    const steps = fc.array(fc.oneof(take, giveBack), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), steps, (pages, todo) => {
        const limit = pages * page;
        const memories = createMemories(limit);
        const region = memories.addRegion();
        const taken: Block[] = [];
        for (const step of todo) {
          if ("giveBack" in step) {
            const [block] = taken.splice(step.giveBack % Math.max(1, taken.length), 1);
            if (block === undefined) continue;
            memories.free(0, block.begin);
            // A second time does nothing.
            memories.free(0, block.begin);
          } else {
            const bytes = Math.max(64, Math.ceil(step.take / 64) * 64);
            expect(memories.fits(0, step.take)).toBe(hasRoom(taken, bytes, limit));
            if (!memories.fits(0, step.take)) {
              expect(() => memories.allocate(0, step.take, "a test")).toThrow("Cannot fit");
              continue;
            }
            const begin = memories.allocate(0, step.take, "a test");
            const end = begin + bytes;
            expect(begin % 64).toBe(0);
            expect(begin).toBeGreaterThanOrEqual(page);
            expect(end).toBeLessThanOrEqual(region.memory.buffer.byteLength);
            expect(taken.some((block) => block.begin < end && begin < block.end)).toBe(false);
            taken.push({ begin, end });
          }
          expect(region.usedBytes).toBe(taken.reduce((sum, { begin, end }) => sum + end - begin, 0));
        }
        for (const { begin } of taken) memories.free(0, begin);
        expect(region.usedBytes).toBe(0);
        expect(memories.fits(0, limit - page)).toBe(true);
      }),
    );
  });

  it("hands out no block that ends at 4 GiB, whose end address would be 0", () => {
    const memories = createMemories();
    memories.addRegion();
    expect(memories.fits(0, maxRegionBytes - page)).toBe(false);
    expect(memories.fits(0, maxRegionBytes - page - 64)).toBe(true);
  });
});
