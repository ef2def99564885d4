import {
  describeModel,
  type LayerDescription,
  type MatrixRole,
  type ModelDescription,
  type ModelSizes,
} from "../architectures/index.js";
import { BitNetError } from "../errors.js";
import type { ModelFile } from "../files/model-file.js";
import { packedBytes, packMatrix, packVector, type Packing, transposeTernary } from "../packing/pack.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import { canScreen, packScreen, screenBytes, type PackHalvesWork } from "../packing/screen.js";
import { packRopeTables } from "../packing/rope-table.js";
import { type CompiledKernels, instantiateKernels } from "../wasm/kernel-build.js";
import type { Kernels } from "../wasm/kernels.js";
import { largestRegionBytes, type Memories } from "../wasm/memory.js";
import { kvBytesPerToken } from "./context-length.js";
import type { Layer, Model } from "./model.js";
import { columnGranule, type Sparsity } from "./sparse.js";

export interface ModelLoad {
  readonly file: ModelFile;
  readonly memories: Memories;
  readonly kernels: CompiledKernels;
  /** Positions to prepare for, given the model's sizes and the bytes that its weights will take. */
  readonly chooseContextLength: (sizes: ModelSizes, weightBytes: number) => number;
  /** Keep the whole output head in memory, or a compact screen of it that tells which of its rows in the file matter. */
  readonly head: "auto" | "whole" | "screened";
  /** Unless "off", `down` is kept by columns as well where its inputs may be zero. */
  readonly sparsity: Sparsity;
  readonly members: number;
  /** Has the team pack a piece of the head. */
  readonly sharePacking: (work: PackHalvesWork) => Promise<void>;
  /** Most bytes of one memory; undefined for the most that there can be. */
  readonly regionBytes: number | undefined;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal | undefined;
}

export interface LoadedModel {
  readonly model: Model;
  readonly description: ModelDescription;
  /** What read the weights, for reading more of the file later. */
  readonly packing: Packing;
}

/** Of a memory, the part that may be planned for weights and one KV cache; the rest is for tables and working buffers. */
const plannedFraction = 0.9;

/**
 * Reads a model's weights into wasm memory. Region 0 must exist.
 *
 * @throws BitNetError as describeModel, and FILE_CORRUPT, UNSUPPORTED_TENSOR_TYPE, OUT_OF_MEMORY.
 */
export async function loadModelWeights(load: ModelLoad): Promise<LoadedModel> {
  const { file, memories } = load;
  const description = describeModel(file);
  // Weakly held: an instance keeps its memory, and a disposed model must not.
  const instances = new WeakMap<WebAssembly.Memory, Kernels>();
  const packing: Packing = {
    file,
    memories,
    kernels: (region) => {
      const memory = memories.regions[region]?.memory;
      if (memory === undefined) throw new RangeError(`no memory region ${region}`);
      const known = instances.get(memory);
      if (known !== undefined) return known;
      const made = instantiateKernels(load.kernels.module, memory);
      instances.set(memory, made);
      return made;
    },
    onBytes: load.onBytes,
    signal: load.signal,
  };
  // Every type is known to have a kernel before the first byte is read.
  const plan = planWeights(file, description, load, (role) => packedBytes(file, role));
  const { screened, tied } = plan;
  const contextLength = load.chooseContextLength(description.sizes, plan.bytes);
  const layerCacheBytes = (kvBytesPerToken(description.sizes) / description.sizes.layers) * contextLength;
  const place = createPlacer(() => memories.addRegion().index, load.regionBytes);

  const layers: Layer[] = [];
  for (const [index, layer] of description.layers.entries()) {
    const { bytes = 0, withColumns = false } = plan.layers[index] ?? {};
    const region = place(bytes + layerCacheBytes);
    layers.push(await packLayer(packing, layer, region, withColumns));
  }
  const headRegion = place(plan.headBytes);
  const screen = screened
    ? await packScreen(packing, description.head, headRegion, load.members, load.sharePacking)
    : undefined;
  const head = screen === undefined ? await packMatrix(packing, description.head, headRegion) : undefined;
  const embeddingRegion = screen !== undefined || tied ? headRegion : place(plan.embeddingBytes);
  const embedding =
    screen !== undefined
      ? undefined
      : tied
        ? head
        : await packMatrix(packing, description.embedding, embeddingRegion);
  if (embedding?.layout === "ternary-rows") {
    throw new BitNetError(
      "UNSUPPORTED_TENSOR_TYPE",
      `Cannot load "${file.source.name}": a ternary embedding has no kernel here`,
      { details: { tensor: description.embedding.tensor } },
    );
  }
  const outputNorm = await packVector(packing, description.outputNorm, headRegion);
  const regions = new Set(layers.map((layer) => layer.region));
  const ropeTables = await packRopeTables(packing, description.rope, regions, contextLength);
  return {
    description,
    packing,
    model: {
      sizes: description.sizes,
      rope: description.rope,
      gate: description.gate,
      epsilon: description.epsilon,
      attentionScale: description.attentionScale,
      embedding,
      embeddingRegion,
      layers,
      outputNorm,
      head,
      headRegion,
      screen,
      sparsity: load.sparsity,
      ropeTables,
      contextLength,
    },
  };
}

/** Heads from this size on are screened: smaller ones are quick to read whole, and reading single rows costs more. */
const screenedHeadBytes = 64 << 20;

/** What a model's matrices take in memory, known before the first byte of them is read. */
export interface WeightPlan {
  readonly layers: readonly LayerPlan[];
  /** The output head, or its screen. */
  readonly headBytes: number;
  readonly screened: boolean;
  /** Whether the embedding is the head. */
  readonly tied: boolean;
  /** 0 where the embedding is the head, or its rows are read from the file. */
  readonly embeddingBytes: number;
  readonly bytes: number;
}

export interface LayerPlan {
  /** All matrices, copies included. */
  readonly bytes: number;
  /** Whether `down` is kept by columns as well: of the two, a token reads one. */
  readonly withColumns: boolean;
  readonly columnBytes: number;
}

/** @param bytesOf what a matrix takes in the layout that it is packed into. */
export function planWeights(
  file: ModelFile,
  description: ModelDescription,
  { head: wanted, sparsity }: Pick<ModelLoad, "head" | "sparsity">,
  bytesOf: (role: MatrixRole) => number,
): WeightPlan {
  const { head, embedding, gate } = description;
  const layers = description.layers.map((layer): LayerPlan => {
    const { down } = layer;
    const withColumns =
      sparsity !== "off" &&
      gate === "relu2" &&
      file.tensors.get(down.tensor)?.format?.ternary === true &&
      down.rows % columnGranule === 0;
    const columnBytes = withColumns ? bytesOf(down) : 0;
    return { bytes: sum(matricesOf(layer).map(bytesOf)) + columnBytes, withColumns, columnBytes };
  });
  const tied = head === embedding;
  const screened = wantsScreen(file, wanted, head);
  const headBytes = screened ? screenBytes(head) : bytesOf(head);
  const embeddingBytes = screened || tied ? 0 : bytesOf(embedding);
  const bytes = sum(layers.map((layer) => layer.bytes)) + headBytes + embeddingBytes;
  return { layers, headBytes, screened, tied, embeddingBytes, bytes };
}

/** Says which region each part of a model goes to: the current one while it has room, else a new one. Region 0 is there. */
export function createPlacer(
  addRegion: () => number,
  regionBytes: number = largestRegionBytes,
): (bytes: number) => number {
  const limit = regionBytes * plannedFraction;
  let region = 0;
  let filled = 0;
  return (bytes) => {
    if (filled > 0 && filled + bytes > limit) {
      region = addRegion();
      filled = 0;
    }
    filled += bytes;
    return region;
  };
}

function wantsScreen(file: ModelFile, wanted: ModelLoad["head"], role: MatrixRole): boolean {
  const large = role.rows * role.cols * 2 >= screenedHeadBytes;
  return (
    (wanted === "screened" || (wanted === "auto" && large)) && canScreen(file.tensors.get(role.tensor), role)
  );
}

export function matricesOf(layer: LayerDescription): readonly MatrixRole[] {
  return [layer.query, layer.key, layer.value, layer.output, layer.gate, layer.up, layer.down];
}

async function packLayer(
  packing: Packing,
  layer: LayerDescription,
  region: number,
  withColumns: boolean,
): Promise<Layer> {
  const vector = (role: LayerDescription["attentionNorm"]): Promise<PackedVector> =>
    packVector(packing, role, region);
  const matrix = (role: MatrixRole): Promise<PackedMatrix> => packMatrix(packing, role, region);
  const down = await matrix(layer.down);
  return {
    region,
    attentionNorm: await vector(layer.attentionNorm),
    query: await matrix(layer.query),
    key: await matrix(layer.key),
    value: await matrix(layer.value),
    attentionSubNorm: layer.attentionSubNorm && (await vector(layer.attentionSubNorm)),
    output: await matrix(layer.output),
    feedForwardNorm: await vector(layer.feedForwardNorm),
    gate: await matrix(layer.gate),
    up: await matrix(layer.up),
    feedForwardSubNorm: layer.feedForwardSubNorm && (await vector(layer.feedForwardSubNorm)),
    down,
    downColumns: withColumns && down.layout === "ternary-rows" ? transposeTernary(packing, down) : undefined,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
