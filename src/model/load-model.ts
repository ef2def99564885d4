import {
  describeModel,
  type LayerDescription,
  type MatrixRole,
  type ModelDescription,
  type ModelSizes,
  type ProjectionRole,
  type RopeDescription,
  type VectorRole,
} from "../architectures/index.js";
import type { ModelFile } from "../files/model-file.js";
import {
  columnCopyBytes,
  packedBytes,
  packMatrix,
  packVector,
  type Packing,
  transposeTernary,
} from "../packing/pack.js";
import type { PackedVector } from "../packing/packed.js";
import { canScreen, packScreen, screenBytes, type PackHalvesWork } from "../packing/screen.js";
import { packRopeTables } from "../packing/rope-table.js";
import { type CompiledKernels, instantiateKernels } from "../wasm/kernel-build.js";
import type { Kernels } from "../wasm/kernels.js";
import { largestRegionBytes, type Memories, type Place } from "../wasm/memory.js";
import { kvBytesPerToken } from "./context-length.js";
import { inputForms } from "../packing/input-forms.js";
import { type Layer, matricesOf as packedMatrices, type Model, type Projection } from "./model.js";
import { columnGranule, type Sparsity } from "../graph/sparse-products.js";

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
  /** Positions that the caller asked for; undefined for the model's own, whatever of it fits. */
  readonly contextWanted: number | undefined;
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
    const region = place((plan.layerBytes[index] ?? 0) + layerCacheBytes);
    layers.push(await packLayer(packing, layer, region, plan.columnBytes[index] !== 0));
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
  const outputNorm = await packVector(packing, description.outputNorm, headRegion);
  const ropeTables: (readonly Place[])[] = [];
  for (const [index, rope] of description.ropes.entries()) {
    const regions = new Set(layers.filter((layer) => layer.rope === index).map((layer) => layer.region));
    const chosen = ropeFor(rope, load.contextWanted ?? description.sizes.contextLength);
    ropeTables.push(await packRopeTables(packing, chosen, regions, contextLength));
  }
  return {
    description,
    packing,
    model: {
      sizes: description.sizes,
      ropes: description.ropes,
      gate: description.gate,
      epsilon: description.epsilon,
      attentionScale: description.attentionScale,
      embeddingScale: description.embeddingScale,
      embedding,
      embeddingRegion,
      layers,
      outputNorm,
      head,
      headRegion,
      screen,
      sparsity: load.sparsity,
      inputForms: inputForms(packedMatrices(layers, [head, screen?.matrix])),
      ropeTables,
      contextLength,
    },
  };
}

/** Heads from this size on are screened: smaller ones are quick to read whole, and reading single rows costs more. */
const screenedHeadBytes = 64 << 20;

/** What a model's matrices take in memory, known before the first byte of them is read. */
export interface WeightPlan {
  readonly layerBytes: readonly number[];
  /**
   * Of these, the copies by columns (graph/sparse-products). A matrix in groups has one only if all its groups turn out to have one scale.
   */
  readonly columnBytes: readonly number[];
  /** The output head, or its screen. */
  readonly headBytes: number;
  readonly screened: boolean;
  /** Whether the embedding is the head. */
  readonly tied: boolean;
  /** 0 where the embedding is the head, or its rows are read from the file. */
  readonly embeddingBytes: number;
  readonly bytes: number;
}

/** @param bytesOf what a matrix takes in the layout that it is packed into. */
export function planWeights(
  file: ModelFile,
  description: ModelDescription,
  wanted: Pick<ModelLoad, "head" | "sparsity">,
  bytesOf: (role: MatrixRole) => number,
): WeightPlan {
  const { head, embedding } = description;
  const columnBytes = description.layers.map((layer) =>
    wanted.sparsity !== "off" && usesColumns(file, description, layer)
      ? columnCopyBytes(layer.down.matrix)
      : 0,
  );
  const layerBytes = description.layers.map(
    (layer, index) => sum(matricesOf(layer).map(bytesOf)) + (columnBytes[index] ?? 0),
  );
  const tied = head === embedding;
  const screened = wantsScreen(file, wanted.head, description);
  const headBytes = screened ? screenBytes(head) : bytesOf(head);
  const embeddingBytes = screened || tied ? 0 : bytesOf(embedding);
  const bytes = sum(layerBytes) + headBytes + embeddingBytes;
  return { layerBytes, columnBytes, headBytes, screened, tied, embeddingBytes, bytes };
}

function usesColumns(
  file: ModelFile,
  { gate }: ModelDescription,
  { down: { matrix } }: LayerDescription,
): boolean {
  const ternary = file.tensors.get(matrix.tensor)?.format?.ternary === true;
  return gate === "relu2" && ternary && matrix.rows % columnGranule === 0 && matrix.cols % 128 === 0;
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

function wantsScreen(
  file: ModelFile,
  wanted: ModelLoad["head"],
  { head, embedding }: ModelDescription,
): boolean {
  const large = head.rows * head.cols * 2 >= screenedHeadBytes;
  // An embedding beside a screened head is read from the file as well, by the same kernels.
  const readable = [head, embedding].every((role) => canScreen(file.tensors.get(role.tensor), role));
  return (wanted === "screened" || (wanted === "auto" && large)) && readable;
}

export function matricesOf(layer: LayerDescription): readonly MatrixRole[] {
  const { query, key, value, output, gate, up, down } = layer;
  return [query, key, value, output, gate, up, down].map(({ matrix }) => matrix);
}

/**
 * LongRoPE has factors for short contexts and others for long ones. What was asked for decides, and not what fits: the same
 * file and options must give the same text on a machine with less memory.
 */
function ropeFor(rope: RopeDescription, contextLength: number): RopeDescription {
  const { longFactors } = rope;
  if (longFactors === undefined || contextLength <= longFactors.above) return rope;
  return { ...rope, factors: longFactors.factors };
}

async function packLayer(
  packing: Packing,
  layer: LayerDescription,
  region: number,
  withColumns: boolean,
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
  const down = await projection(layer.down);
  return {
    region,
    attentionNorm: await vector(layer.attentionNorm),
    query: await projection(layer.query),
    key: await projection(layer.key),
    value: await projection(layer.value),
    queryNorm: await optional(layer.queryNorm),
    keyNorm: await optional(layer.keyNorm),
    rope: layer.rope,
    window: layer.window,
    output: await projection(layer.output),
    feedForwardNorm: await vector(layer.feedForwardNorm),
    gate: await projection(layer.gate),
    up: await projection(layer.up),
    down,
    downColumns:
      withColumns && down.matrix.layout === "ternary-rows"
        ? transposeTernary(packing, down.matrix)
        : undefined,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
