import {
  describeModel,
  type LayerDescription,
  type MatrixRole,
  type ModelDescription,
  type ModelSizes,
} from "../architectures/index.js";
import { BitNetError } from "../errors.js";
import type { ModelFile } from "../files/model-file.js";
import { packedBytes, packInt8Rows, packMatrix, packVector, type Packing } from "../packing/pack.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
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
  /** Keep the output head as the file has it, or as a compact int8 copy that is not exact. */
  readonly head: "file" | "int8";
  /** Most bytes of one memory; undefined for the most that there can be. */
  readonly regionBytes: number | undefined;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** Of a memory, the part that may be planned for weights and one KV cache; the rest is for tables and working buffers. */
const plannedFraction = 0.9;

/**
 * Reads a model's weights into wasm memory. Region 0 must exist.
 *
 * @throws BitNetError as describeModel, and FILE_CORRUPT, UNSUPPORTED_TENSOR_TYPE, OUT_OF_MEMORY.
 */
export async function loadModelWeights(
  load: ModelLoad,
): Promise<{ readonly model: Model; readonly description: ModelDescription }> {
  const { file, memories } = load;
  const description = describeModel(file);
  const instances: (Kernels | undefined)[] = [];
  const packing: Packing = {
    file,
    memories,
    kernels: (region) => {
      const memory = memories.regions[region]?.memory;
      if (memory === undefined) throw new RangeError(`no memory region ${region}`);
      return (instances[region] ??= instantiateKernels(load.kernels.module, memory));
    },
    onBytes: load.onBytes,
    signal: load.signal,
  };
  // Every type is known to have a kernel before the first byte is read.
  const layerBytes = description.layers.map((layer) =>
    sum(matricesOf(layer).map((role) => packedBytes(file, role))),
  );
  const headBytes = packedBytes(file, description.head);
  const embeddingBytes = packedBytes(file, description.embedding);
  const tied = description.head === description.embedding;
  const weightBytes = sum(layerBytes) + embeddingBytes + (tied ? 0 : headBytes);
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

  const embedding = await packMatrix(packing, description.embedding, place(embeddingBytes));
  if (embedding.layout === "ternary-rows") {
    throw new BitNetError(
      "UNSUPPORTED_TENSOR_TYPE",
      `Cannot load "${file.source.name}": a ternary embedding has no kernel here`,
      {
        details: { tensor: description.embedding.tensor },
      },
    );
  }
  const layers: Layer[] = [];
  for (const [index, layer] of description.layers.entries()) {
    layers.push(await packLayer(packing, layer, place((layerBytes[index] ?? 0) + layerCacheBytes)));
  }
  const fileHead = tied ? embedding : await packMatrix(packing, description.head, place(headBytes));
  const head = load.head === "int8" ? compactHead(packing, fileHead, tied) : fileHead;
  const outputNorm = await packVector(packing, description.outputNorm, head.region);
  const regions = new Set(layers.map((layer) => layer.region));
  const ropeTables = await packRopeTables(packing, description.rope, regions, contextLength);
  return {
    description,
    model: {
      sizes: description.sizes,
      rope: description.rope,
      gate: description.gate,
      epsilon: description.epsilon,
      attentionScale: description.attentionScale,
      embedding,
      layers,
      outputNorm,
      head,
      ropeTables,
      contextLength,
    },
  };
}

function compactHead(packing: Packing, head: PackedMatrix, tied: boolean): PackedMatrix {
  if (head.layout === "ternary-rows") return head;
  const compact = packInt8Rows(packing, head);
  if (!tied) packing.memories.free(head.region, head.address);
  return compact;
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
