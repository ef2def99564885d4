import type { RopeDescription } from "../architectures/description.js";
import { throwIfAborted } from "../errors.js";
import type { Location } from "../wasm/memory.js";
import { packVector } from "./pack.js";
import type { Packing } from "./packing.js";

/** Positions made before the event loop gets a turn: about 2 ms for heads of 128. */
const piecePositions = 256;

/** Bytes of a table of `contextLength` positions. */
export function ropeTableBytes(rope: RopeDescription, contextLength: number): number {
  return contextLength * rotatedDimensions(rope) * 4;
}

/** Elements of a head that kernels rotate: whole vectors of pairs. The last pairs may have the angle 0. */
export function rotatedDimensions({ dimensions }: RopeDescription): number {
  return Math.ceil(dimensions / 8) * 8;
}

/**
 * Makes the cosines and sines of every position, [contextLength][2][rotatedDimensions / 2] f32. Each of the
 * regions gets a table, because kernels read it from the memory they work in. All mathematics is in wasm: the
 * bits are the same on every host.
 */
export async function packRopeTables(
  packing: Packing,
  rope: RopeDescription,
  regions: Iterable<number>,
  contextLength: number,
): Promise<readonly Location[]> {
  const tables: Location[] = [];
  const dimensions = rotatedDimensions(rope);
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

/** The step of each pair's angle per position, [rotatedDimensions / 2] f64; 0 for padding pairs. */
async function packFrequencies(packing: Packing, rope: RopeDescription, region: number): Promise<Location> {
  const { memories } = packing;
  const { dimensions, base, scale, yarn } = rope;
  const factors = rope.factors && (await packVector(packing, rope.factors, region));
  const bytes = rotatedDimensions(rope) * 4;
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

/**
 * YaRN raises attention's magnitude. Without extrapolation it is linear scaling, which does not (as in
 * llama.cpp).
 */
function magnitudeOf(packing: Packing, rope: RopeDescription, region: number): number {
  const { magnitude, yarn, scale } = rope;
  if (yarn === undefined || yarn.extrapolation === 0) return magnitude;
  return magnitude * packing.kernels(region).rope_magnitude(1 / scale, yarn.logMultiplier);
}
