import {
  type LayerDescription,
  type ModelDescription,
  type ModelSizes,
  type ProjectionRole,
  type RopeDescription,
  type VectorRole,
} from "../architectures/index.js";
import type { ModelFile } from "../files/model-file.js";
import { layoutOf } from "../packing/layouts/index.js";
import { packMatrix, packVector } from "../packing/pack.js";
import type { PackedVector } from "../packing/packed.js";
import type { Packing } from "../packing/packing.js";
import { createRopeTables, type RopeTables } from "../packing/rope-table.js";
import { packScreen, screenStagingBytes, type PackHalvesWork } from "../packing/screen.js";
import { type CompiledKernels, instantiateKernels } from "../wasm/kernel-build.js";
import type { Kernels } from "../wasm/kernels.js";
import type { Memories } from "../wasm/memory.js";
import { kvBytesPerToken } from "./context-length.js";
import type { Layer, Model, Projection } from "./model.js";
import { createPlacer, planWeights, type WeightPlan, type WeightWishes } from "./weight-plan.js";

export interface ModelLoad extends WeightWishes {
  readonly file: ModelFile;
  readonly description: ModelDescription;
  readonly memories: Memories;
  readonly kernels: CompiledKernels;
  /** Positions to prepare for, given the model's sizes and the bytes of its weights. */
  readonly chooseContextLength: (sizes: ModelSizes, weightBytes: number) => number;
  /** Positions that the caller asked for. Undefined for the model's own, as far as memory allows. */
  readonly contextWanted: number | undefined;
  /** Number of workers. */
  readonly workers: number;
  /** Packs a piece of the head on the team. */
  readonly sharePacking: (work: PackHalvesWork) => Promise<void>;
  /** Maximum bytes of one memory. Undefined for 4 GiB. */
  readonly regionBytes: number | undefined;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal | undefined;
}

export interface LoadedModel {
  readonly model: Model;
  /** For reading more of the file later. */
  readonly packing: Packing;
  /** Makes the rotary tables of the first `positions` positions. Call it before a pass that uses them. */
  readonly preparePositions: (positions: number) => void;
}

/**
 * Reads a model's weights into wasm memory. Region 0 must exist.
 *
 * @throws BitNetError FILE_CORRUPT, UNSUPPORTED_TENSOR_TYPE, OUT_OF_MEMORY.
 */
export async function loadModelWeights(load: ModelLoad): Promise<LoadedModel> {
  const { file, memories, description } = load;
  const failed = new AbortController();
  const packing = createPacking(load, failed.signal);
  // Finds a packer for every tensor before the first byte is read.
  const plan = planWeights(file, description, load);
  const contextLength = load.chooseContextLength(description.sizes, plan.bytes);
  const layerCacheBytes = (kvBytesPerToken(description.sizes) / description.sizes.layers) * contextLength;
  const place = createPlacer(() => memories.addRegion().index, load.regionBytes);

  const regions = plan.layerBytes.map((bytes) => place(bytes + layerCacheBytes));
  const packLayers = async (): Promise<readonly Layer[]> => {
    const layers: Layer[] = [];
    for (const [index, layer] of description.layers.entries()) {
      const region = regions[index] ?? 0;
      const downColumns = plan.columnBytes[index] !== 0;
      layers.push(await packLayer(packing, layer, { region, downColumns, failed }));
    }
    return layers;
  };
  // The team packs the head while this thread packs the layers.
  const { ends, layers } = await allAtOnce(failed, {
    ends: packEnds(packing, load, { description, plan, place }),
    layers: packLayers(),
  });
  const ropeTables: RopeTables[] = [];
  for (const [index, rope] of description.ropes.entries()) {
    const regions = new Set(layers.filter((layer) => layer.rope === index).map((layer) => layer.region));
    const chosen = ropeFor(rope, load.contextWanted ?? description.sizes.contextLength);
    ropeTables.push(await createRopeTables(packing, chosen, regions, contextLength));
  }
  const { sizes, ropes, gate, epsilon, attentionScale, embeddingScale } = description;
  return {
    packing,
    preparePositions: (positions) => {
      for (const tables of ropeTables) tables.extend(positions);
    },
    model: {
      sizes,
      ropes,
      gate,
      epsilon,
      attentionScale,
      embeddingScale,
      layers,
      ...ends,
      sparsity: load.sparsity,
      ropeTables: ropeTables.map(({ locations }) => locations),
      contextLength,
    },
  };
}

/** @param failed fires when a part of the load has failed. */
function createPacking(
  { file, memories, goal, kernels, onBytes, signal }: ModelLoad,
  failed: AbortSignal,
): Packing {
  // Weak references: an instance keeps its memory, and a disposed model must not.
  const instances = new WeakMap<WebAssembly.Memory, Kernels>();
  return {
    file,
    memories,
    goal,
    kernels: (region) => {
      const memory = memories.regions[region]?.memory;
      if (memory === undefined) throw new RangeError(`no memory region ${region}`);
      const known = instances.get(memory);
      if (known !== undefined) return known;
      const made = instantiateKernels(kernels.module, memory);
      instances.set(memory, made);
      return made;
    },
    onBytes,
    signal: signal === undefined ? failed : AbortSignal.any([signal, failed]),
  };
}

/** Packs the output head, or its screen, and the embedding. */
async function packEnds(
  packing: Packing,
  { workers, sharePacking }: ModelLoad,
  parts: {
    readonly description: ModelDescription;
    readonly plan: WeightPlan;
    readonly place: (bytes: number) => number;
  },
): Promise<Pick<Model, "embedding" | "embeddingRegion" | "outputNorm" | "head" | "headRegion" | "screen">> {
  const { description, plan, place } = parts;
  const stagingBytes = plan.screened ? screenStagingBytes(description.head, workers) : 0;
  const headRegion = place(plan.headBytes + stagingBytes);
  const screen = plan.screened
    ? await packScreen(packing, description.head, { region: headRegion, workers, share: sharePacking })
    : undefined;
  const head = screen === undefined ? await packMatrix(packing, description.head, headRegion) : undefined;
  const embeddingRegion = screen !== undefined || plan.tied ? headRegion : place(plan.embeddingBytes);
  const embedding =
    screen !== undefined || plan.tied
      ? head
      : await packMatrix(packing, description.embedding, embeddingRegion);
  const outputNorm = await packVector(packing, description.outputNorm, headRegion);
  return { embedding, embeddingRegion, outputNorm, head, headRegion, screen };
}

/**
 * LongRoPE has factors for short contexts and others for long ones. The context asked for decides, not the
 * context that fits: the same file and options must give the same text on a machine with less memory.
 */
function ropeFor(rope: RopeDescription, contextLength: number): RopeDescription {
  const { longFactors } = rope;
  if (longFactors === undefined || contextLength <= longFactors.above) return rope;
  return { ...rope, factors: longFactors.factors };
}

/**
 * Packs all matrices of a layer at once: while this thread packs a piece of one, the host's threads read
 * pieces of the others.
 *
 * @param options.downColumns whether to copy `down` by columns, if its layout can.
 * @param options.failed ends the load when a part of it fails.
 */
async function packLayer(
  packing: Packing,
  layer: LayerDescription,
  {
    region,
    downColumns,
    failed,
  }: { readonly region: number; readonly downColumns: boolean; readonly failed: AbortController },
): Promise<Layer> {
  const vector = (role: VectorRole): Promise<PackedVector> => packVector(packing, role, region);
  const optional = async (role: VectorRole | undefined): Promise<PackedVector | undefined> =>
    role && vector(role);
  const projection = async (role: ProjectionRole): Promise<Projection> => ({
    matrix: await packMatrix(packing, role.matrix, region),
    inputNorm: await optional(role.inputNorm),
    bias: await optional(role.bias),
    outputNorm: await optional(role.outputNorm),
  });
  const packed = await allAtOnce(failed, {
    down: projection(layer.down),
    attentionNorm: vector(layer.attentionNorm),
    query: projection(layer.query),
    key: projection(layer.key),
    value: projection(layer.value),
    queryNorm: optional(layer.queryNorm),
    keyNorm: optional(layer.keyNorm),
    output: projection(layer.output),
    feedForwardNorm: vector(layer.feedForwardNorm),
    gate: projection(layer.gate),
    up: projection(layer.up),
  });
  const down = packed.down.matrix;
  return {
    ...packed,
    region,
    rope: layer.rope,
    window: layer.window,
    downColumns: downColumns ? layoutOf(down).sparse?.columns?.transpose(packing, down) : undefined,
  };
}

/**
 * Waits for every value. A failure ends the others early, and is thrown when they have ended: a read that is
 * under way must not write into memory that is no longer used.
 */
async function allAtOnce<T extends Readonly<Record<string, unknown>>>(
  failed: AbortController,
  promises: { readonly [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const entries: readonly (readonly [string, Promise<unknown>])[] = Object.entries(promises);
  const settled = await Promise.allSettled(
    entries.map(async ([name, promise]) => {
      try {
        return [name, await promise] as const;
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }),
  );
  const values = settled.map((one) => {
    // Not the failure of this promise: it may only have been ended by the first one.
    if (one.status === "rejected") throw failed.signal.reason;
    return one.value;
  });
  return Object.fromEntries(values) as T;
}
