import type { RopeDescription } from "../architectures/index.js";
import { throwIfAborted } from "../errors.js";
import type { Place } from "../wasm/memory.js";
import { type Packing, packVector } from "./pack.js";

/** Positions made before the event loop gets a turn: about 2 ms for heads of 128. */
const piecePositions = 256;

/** Bytes of the table of so many positions. */
export function ropeTableBytes(rope: RopeDescription, contextLength: number): number {
  return contextLength * rope.dimensions * 4;
}

/**
 * Makes the cosines and sines of every position, [contextLength][2][dimensions / 2] f32: one table in each region that has
 * layers, because kernels read it from the memory they work in. Angles come from wasm, so they have the same bits everywhere.
 */
export async function packRopeTables(
  packing: Packing,
  rope: RopeDescription,
  regions: Iterable<number>,
  contextLength: number,
): Promise<readonly Place[]> {
  const tables: Place[] = [];
  const tableBytes = ropeTableBytes(rope, contextLength);
  for (const region of regions) {
    const address = packing.memories.allocate(region, tableBytes, "the rotary embedding's table");
    const [first] = tables;
    if (first !== undefined) {
      packing.memories.view({ region, address }, tableBytes).set(packing.memories.view(first, tableBytes));
    } else {
      const factors = rope.factors && (await packVector(packing, rope.factors, region));
      for (let begin = 0; begin < contextLength; begin += piecePositions) {
        throwIfAborted(packing.signal);
        const end = Math.min(contextLength, begin + piecePositions);
        const at = address + begin * rope.dimensions * 4;
        packing
          .kernels(region)
          .rope_table(at, begin, end, rope.dimensions, rope.base, rope.scale, 1, factors?.address ?? 0);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    tables.push({ region, address });
  }
  return tables;
}
