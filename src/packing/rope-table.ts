import type { RopeDescription } from "../architectures/index.js";
import { throwIfAborted } from "../errors.js";
import type { Place } from "../wasm/memory.js";
import { type Packing, packVector } from "./pack.js";

/** Positions made before the event loop gets a turn: about 2 ms for heads of 128. */
const piecePositions = 256;

/** Bytes of the table of so many positions. */
export function ropeTableBytes(rope: RopeDescription, contextLength: number): number {
  return contextLength * turnedDimensions(rope) * 4;
}

/** Elements of a head that kernels turn: whole vectors of pairs, the last of which may not turn at all. */
export function turnedDimensions({ dimensions }: RopeDescription): number {
  return Math.ceil(dimensions / 8) * 8;
}

/**
 * Makes the cosines and sines of every position, [contextLength][2][turned dimensions / 2] f32: one table in each of the
 * regions, because kernels read it from the memory they work in. All mathematics is in wasm, so they have the same bits
 * everywhere.
 */
export async function packRopeTables(
  packing: Packing,
  rope: RopeDescription,
  regions: Iterable<number>,
  contextLength: number,
): Promise<readonly Place[]> {
  const tables: Place[] = [];
  const dimensions = turnedDimensions(rope);
  const tableBytes = ropeTableBytes(rope, contextLength);
  for (const region of regions) {
    const address = packing.memories.allocate(region, tableBytes, "the rotary embedding's table");
    const [first] = tables;
    if (first !== undefined) {
      packing.memories.view({ region, address }, tableBytes).set(packing.memories.view(first, tableBytes));
    } else {
      const frequencies = await packFrequencies(packing, rope, region);
      const magnitude = magnitudeOf(packing, rope, region);
      for (let begin = 0; begin < contextLength; begin += piecePositions) {
        throwIfAborted(packing.signal);
        const end = Math.min(contextLength, begin + piecePositions);
        const at = address + begin * dimensions * 4;
        packing.kernels(region).rope_table(at, begin, end, dimensions, frequencies.address, magnitude);
        await new Promise((resolve) => setImmediate(resolve));
      }
      packing.memories.free(region, frequencies.address);
    }
    tables.push({ region, address });
  }
  return tables;
}

/** What each pair's angle grows by from one position to the next, [turned dimensions / 2] f64; 0 for pairs that fill up. */
async function packFrequencies(packing: Packing, rope: RopeDescription, region: number): Promise<Place> {
  const { memories } = packing;
  const { dimensions, base, scale, yarn } = rope;
  const factors = rope.factors && (await packVector(packing, rope.factors, region));
  const bytes = turnedDimensions(rope) * 4;
  const address = memories.allocate(region, bytes, "the rotary embedding's frequencies");
  memories.view({ region, address }, bytes).fill(0);
  // prettier-ignore
  packing.kernels(region).rope_frequencies(
    address, dimensions, base, scale, factors?.address ?? 0,
    yarn?.originalContextLength ?? 1, yarn?.betaFast ?? 1, yarn?.betaSlow ?? 1, yarn?.extrapolation ?? 0,
  );
  if (factors !== undefined) memories.free(region, factors.address);
  return { region, address };
}

/** YaRN strengthens attention as it stretches; without extrapolation it is linear scaling, which does not (llama.cpp). */
function magnitudeOf(packing: Packing, rope: RopeDescription, region: number): number {
  const { magnitude, yarn, scale } = rope;
  if (yarn === undefined || yarn.extrapolation === 0) return magnitude;
  return magnitude * packing.kernels(region).rope_magnitude(1 / scale, yarn.logMultiplier);
}
