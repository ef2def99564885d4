import {
  describeModel,
  type LayerDescription,
  type MatrixRole,
  type ModelDescription,
  type ModelSizes,
} from "../architectures/index.js";
import type { ModelFile } from "../files/model-file.js";
import { packedBytes, packMatrix, packVector, type Packing } from "../packing/pack.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import { canScreen, packScreen, screenBytes, type PackHalvesWork } from "../packing/screen.js";
import { packRopeTables } from "../packing/rope-table.js";
import { type CompiledKernels, instantiateKernels } from "../wasm/kernel-build.js";
import type { Kernels } from "../wasm/kernels.js";
import { largestRegionBytes, type Memories } from "../wasm/memory.js";
import { kvBytesPerToken } from "./context-length.js";
import type { Layer, Model } from "./model.js";

export interface ModelLoad {
  readonly file: ModelFile;
  readonly memories: Memories;
  readonly kernels: CompiledKernels;
  /** Positions to prepare for, given the model's sizes and the bytes that its weights will take. */
  readonly chooseContextLength: (sizes: ModelSizes, weightBytes: number) => number;
  /** Keep the whole output head in memory, or a compact screen of it that tells which of its rows in the file matter. */
  readonly head: "auto" | "whole" | "screened";
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
  const layerBytes = description.layers.map((layer) =>
    sum(matricesOf(layer).map((role) => packedBytes(file, role))),
  );
  const tied = description.head === description.embedding;
  const screened = wantsScreen(load, description.head);
  const embeddingBytes = screened ? 0 : packedBytes(file, description.embedding);
  const headBytes = screened ? screenBytes(description.head) : packedBytes(file, description.head);
  const weightBytes = sum(layerBytes) + headBytes + (tied ? 0 : embeddingBytes);
  const contextLength = load.chooseContextLength(description.sizes, weightBytes);
  const layerCacheBytes = (kvBytesPerToken(description.sizes) / description.sizes.layers) * contextLength;

  const limit = (load.regionBytes ?? largestRegionBytes) * plannedFraction;
  let region = 0;
  let filled = 0;
  /** The region for the next part: the current one while it has room, else a new one. */
  const place = (bytes: number): number => {
    if (filled > 0 && filled + bytes > limit) {
      region = memories.addRegion().index;
      filled = 0;
    }
    filled += bytes;
    return region;
  };

  const layers: Layer[] = [];
  for (const [index, layer] of description.layers.entries()) {
    layers.push(await packLayer(packing, layer, place((layerBytes[index] ?? 0) + layerCacheBytes)));
  }
  const headRegion = place(headBytes);
  const screen = screened
    ? await packScreen(packing, description.head, headRegion, load.members, load.sharePacking)
    : undefined;
  const head = screen === undefined ? await packMatrix(packing, description.head, headRegion) : undefined;
  const embeddingRegion = screen !== undefined || tied ? headRegion : place(embeddingBytes);
  const embedding =
    screen !== undefined
      ? undefined
      : tied
        ? head
        : await packMatrix(packing, description.embedding, embeddingRegion);
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
      ropeTables,
      contextLength,
    },
  };
}

/** Heads from this size on are screened: smaller ones are quick to read whole, and reading single rows costs more. */
const screenedHeadBytes = 64 << 20;

function wantsScreen({ file, head }: ModelLoad, role: MatrixRole): boolean {
  const large = role.rows * role.cols * 2 >= screenedHeadBytes;
  return (
    (head === "screened" || (head === "auto" && large)) && canScreen(file.tensors.get(role.tensor), role)
  );
}

function matricesOf(layer: LayerDescription): readonly MatrixRole[] {
  return [layer.query, layer.key, layer.value, layer.output, layer.gate, layer.up, layer.down];
}

async function packLayer(packing: Packing, layer: LayerDescription, region: number): Promise<Layer> {
  const vector = (role: LayerDescription["attentionNorm"]): Promise<PackedVector> =>
    packVector(packing, role, region);
  const matrix = (role: MatrixRole): Promise<PackedMatrix> => packMatrix(packing, role, region);
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
    down: await matrix(layer.down),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
