import type { RopeDescription } from "../architectures/description.js";
import { BitNetError } from "../errors.js";
import type { Location } from "../wasm/memory.js";
import { packVector } from "./pack.js";
import type { Packing } from "./packing.js";

/** Positions are made in steps of this: about 2 ms for heads of 128. */
const piecePositions = 256;

/** Bytes of a table of `contextLength` positions. */
export function ropeTableBytes(rope: RopeDescription, contextLength: number): number {
  return contextLength * rotatedDimensions(rope) * 4;
}

/** Elements of a head that kernels rotate: whole vectors of pairs. The last pairs may have the angle 0. */
export function rotatedDimensions({ dimensions }: RopeDescription): number {
  return Math.ceil(dimensions / 8) * 8;
}

/** The tables of one rope: made as far as sequences have come. */
export interface RopeTables {
  /** [contextLength][2][rotatedDimensions / 2] f32 of cosines and sines, in each region. */
  readonly locations: readonly Location[];
  /**
   * Makes the tables up to `positions` if they are shorter. The pages of a shared memory cost nothing before
   * the first write, so a long context costs only the positions in use.
   */
  extend(positions: number): void;
}

/**
 * Allocates the tables of every position. Each of the regions gets one, because kernels read it from the
 * memory they work in. All mathematics is in wasm: the bits are the same on every host, and in steps of any
 * size.
 *
 * @throws BitNetError MODEL_INVALID if an angle would not be a number; and as packVector.
 */
export async function createRopeTables(
  packing: Packing,
  rope: RopeDescription,
  regions: ReadonlySet<number>,
  contextLength: number,
): Promise<RopeTables> {
  const dimensions = rotatedDimensions(rope);
  const locations: Location[] = [];
  for (const region of regions) {
    const bytes = ropeTableBytes(rope, contextLength);
    const address = packing.memories.allocate(region, bytes, "the rotary embedding's table");
    locations.push({ region, address });
  }
  const [first, ...others] = locations;
  if (first === undefined) return { locations, extend: () => undefined };
  const frequencies = await packFrequencies(packing, rope, first.region);
  const magnitude = magnitudeOf(packing, rope, first.region);
  let made = 0;
  return {
    locations,
    extend(positions): void {
      if (positions <= made) return;
      const end = Math.min(contextLength, Math.ceil(positions / piecePositions) * piecePositions);
      const offset = made * dimensions * 4;
      const bytes = (end - made) * dimensions * 4;
      const { region, address } = first;
      const { rope_table } = packing.kernels(region);
      rope_table(address + offset, made, end, dimensions, frequencies.address, magnitude);
      const piece = packing.memories.view({ region, address: address + offset }, bytes);
      for (const other of others) {
        packing.memories.view({ ...other, address: other.address + offset }, bytes).set(piece);
      }
      made = end;
    },
  };
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
  const made = memories.view({ region, address }, bytes);
  const index = new Float64Array(made.buffer, made.byteOffset, bytes / 8).findIndex(
    (step) => !Number.isFinite(step),
  );
  if (index === -1) return { region, address };
  throw new BitNetError(
    "MODEL_INVALID",
    `Cannot load "${packing.file.source.name}": pair ${index} of the rotary embedding has no finite frequency; its base, scale or factors are wrong`,
    { details: { index } },
  );
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
