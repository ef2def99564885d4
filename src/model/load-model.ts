import {
  type LayerDescription,
  type ModelDescription,
  type ModelSizes,
  type RopeDescription,
  type VectorRole,
} from "../architectures/index.js";
import type { ModelFile } from "../files/model-file.js";
import { layoutOf } from "../packing/layouts/index.js";
import { packMatrix, packVector } from "../packing/pack.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import type { Packing } from "../packing/packing.js";
import { createRopeTables, type RopeTables } from "../packing/rope-table.js";
import { packScreen, screenStagingBytes, type PackHalvesWork } from "../packing/screen.js";
import { type CompiledKernels, instantiateKernels } from "../wasm/kernel-build.js";
import type { Kernels } from "../wasm/kernels.js";
import { maxRegionBytes, type Memories } from "../wasm/memory.js";
import { allAtOnce } from "./all-at-once.js";
import type { CacheType } from "../wasm/cache-types.js";
import { layerCacheBytes } from "./cache-format.js";
import { createLayerRing, type LayerRing } from "./layer-ring.js";
import {
  type Layer,
  type LayerProjections,
  type Model,
  type Projection,
  type ProjectionName,
} from "./model.js";
import { planStream, slotCount } from "./stream-plan.js";
import { measureStream, type StreamInfo } from "./stream-speed.js";
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
  /** How sessions keep keys and values. */
  readonly cacheType: CacheType;
  /** Number of workers. */
  readonly workers: number;
  /** Packs a piece of the head on the team. */
  readonly sharePacking: (work: PackHalvesWork) => Promise<void>;
  /** Maximum bytes of one memory. Undefined for 4 GiB. */
  readonly regionBytes: number | undefined;
  /** Maximum bytes of matrices in memory: other layers are streamed. Undefined to keep all in memory. */
  readonly streamBytes: number | undefined;
  /** Called before most of the weights are read, if layers will be streamed. */
  readonly onStream: (info: StreamInfo) => void;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal | undefined;
}

export interface LoadedModel {
  readonly model: Model;
  /** For reading more of the file later. */
  readonly packing: Packing;
  /** Makes the rotary tables of the first `positions` positions. Call it before a pass that uses them. */
  readonly preparePositions: (positions: number) => void;
  /** Undefined if all layers are in memory. */
  readonly ring: LayerRing | undefined;
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
  const streamed =
    load.streamBytes === undefined ? undefined : planStream(file, description, plan, load.streamBytes);
  const contextLength = load.chooseContextLength(description.sizes, (streamed ?? plan).bytes);
  const cacheBytes = layerCacheBytes(load.cacheType, description.sizes, contextLength);
  const place = createPlacer(() => memories.addRegion().index, load.regionBytes);

  let ring: LayerRing | undefined;
  if (streamed !== undefined) {
    const slots = slotCount(streamed, cacheBytes, load.regionBytes ?? maxRegionBytes);
    const cachesBytes = Math.ceil(streamed.layers.length / slots) * cacheBytes;
    const slotRegions = Array.from({ length: slots }, () => place(streamed.slotBytes + cachesBytes));
    ring = createLayerRing(packing, description, streamed, slotRegions);
    load.onStream(await measureStream(packing, description, ring));
  }
  const regions = plan.layerBytes.map((bytes, index) => ring?.regionOf(index) ?? place(bytes + cacheBytes));
  const packLayers = async (): Promise<readonly Layer[]> => {
    const layers: Layer[] = [];
    for (const [index, layer] of description.layers.entries()) {
      const region = regions[index] ?? 0;
      const isStreamed = ring?.regionOf(index) !== undefined;
      const matrices = isStreamed ? await ring?.pack(packing, index) : undefined;
      const downColumns = matrices === undefined && plan.columnBytes[index] !== 0;
      layers.push(await packLayer(packing, layer, { region, matrices, downColumns, failed }));
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
    ring,
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
      cacheType: load.cacheType,
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
 * @param options.matrices its matrices if they are packed already.
 * @param options.downColumns whether to copy `down` by columns, if its layout can.
 * @param options.failed ends the load when a part of it fails.
 */
async function packLayer(
  packing: Packing,
  layer: LayerDescription,
  options: {
    readonly region: number;
    readonly matrices: LayerProjections<PackedMatrix> | undefined;
    readonly downColumns: boolean;
    readonly failed: AbortController;
  },
): Promise<Layer> {
  const { region, matrices, downColumns, failed } = options;
  const vector = (role: VectorRole): Promise<PackedVector> => packVector(packing, role, region);
  const optional = async (role: VectorRole | undefined): Promise<PackedVector | undefined> =>
    role && vector(role);
  const projection = async (name: ProjectionName): Promise<Projection> => {
    const { matrix, inputNorm, bias, outputNorm } = layer[name];
    return {
      matrix: matrices?.[name] ?? (await packMatrix(packing, matrix, region)),
      inputNorm: await optional(inputNorm),
      bias: await optional(bias),
      outputNorm: await optional(outputNorm),
    };
  };
  const packed = await allAtOnce(failed, {
    down: projection("down"),
    attentionNorm: vector(layer.attentionNorm),
    query: projection("query"),
    key: projection("key"),
    value: projection("value"),
    queryNorm: optional(layer.queryNorm),
    keyNorm: optional(layer.keyNorm),
    output: projection("output"),
    feedForwardNorm: vector(layer.feedForwardNorm),
    gate: projection("gate"),
    up: projection("up"),
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
