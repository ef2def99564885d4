import type { MatrixRole, ModelDescription } from "../architectures/index.js";
import type { ModelFile } from "../files/model-file.js";
import type { PackingGoal } from "../packing/packing.js";
import { ropeTableBytes } from "../packing/rope-table.js";
import { createCountingAllocator } from "../wasm/memory.js";
import type { CacheType } from "../wasm/cache-types.js";
import { kvBytesPerToken, layerCacheBytes } from "../model/cache-format.js";
import { fileRowsBytes } from "./file-rows.js";
import { createPlacer, matrixRolesOf, planWeights } from "../model/weight-plan.js";
import { i14Input, i8Input } from "../packing/input-formats.js";
import { allocateWork } from "../graph/work-plan.js";

/** A model's memory in bytes, by the same functions that plan it at load. */
export interface MemoryEstimate {
  /** Matrices, norms and scales except the head. */
  readonly weights: number;
  /** The output head, or its screen. */
  readonly head: number;
  readonly headScreened: boolean;
  /** Keys and values of one full context. */
  readonly kvCache: number;
  /** One session's buffers and logits, rotary tables, and buffers for rows of the head from the file. */
  readonly work: number;
  /** Bytes of weights that a generated token reads, each once. */
  readonly bytesPerToken: number;
  /** Bytes of keys and values that it reads for each position before it. */
  readonly kvBytesPerPosition: number;
}

/**
 * @param options.contextLength positions of one session.
 * @param options.bytesOf bytes of a matrix in its layout.
 */
export function estimateMemory(
  file: ModelFile,
  description: ModelDescription,
  options: {
    readonly contextLength: number;
    readonly cacheType: CacheType;
    readonly threads: number;
    readonly goal: PackingGoal;
    readonly bytesOf: (role: MatrixRole) => number;
  },
): MemoryEstimate {
  const { contextLength, cacheType, threads, goal, bytesOf } = options;
  const { sizes, head, embedding } = description;
  const plan = planWeights(file, description, { head: "auto", sparsity: "auto", goal }, bytesOf);
  const kvBytesPerPosition = kvBytesPerToken(cacheType, sizes);
  const kvCache = sizes.layers * layerCacheBytes(cacheType, sizes, contextLength);

  let regions = 1;
  const place = createPlacer(() => {
    regions += 1;
    return regions - 1;
  });
  const layers = description.layers.map((layer, index) => ({
    ...layer,
    region: place((plan.layerBytes[index] ?? 0) + kvCache / sizes.layers),
  }));
  const headRegion = place(plan.headBytes);
  const embeddingRegion = plan.embeddingBytes === 0 ? headRegion : place(plan.embeddingBytes);
  const allocator = createCountingAllocator(regions);
  // The layouts are not known yet; activations are small in every input format.
  const inputFormats = [i8Input, i14Input];
  const screen = plan.screened ? {} : undefined;
  const model = { sizes, layers, headRegion, embeddingRegion, screen };
  const lookups = description.layers.flatMap(matrixRolesOf).map(({ rows }) => ({ rows, lookupSeries: 1 }));
  allocateWork(allocator, model, { id: 0, contextLength, workers: threads, inputFormats, lookups });
  const ropeTables = description.ropes
    .map((rope, index) => {
      const regions = new Set(layers.filter((layer) => layer.rope === index).map(({ region }) => region));
      return ropeTableBytes(rope, contextLength) * regions.size;
    })
    .reduce((sum, bytes) => sum + bytes, 0);
  // Rows of a screened head, and of a separate embedding, come from the file.
  const staged = plan.screened ? fileRowsBytes(head.cols) * (plan.tied ? 1 : 2) : 0;

  const matrices = [...description.layers.flatMap(matrixRolesOf), head, embedding];
  const vectors = vectorBytes(file, new Set(matrices.map(({ tensor }) => tensor)));
  const [layerBytes, columnBytes] = [plan.layerBytes, plan.columnBytes].map((all) =>
    all.reduce((sum, bytes) => sum + bytes, 0),
  ) as [number, number];
  return {
    weights: layerBytes + plan.embeddingBytes + vectors,
    head: plan.headBytes,
    headScreened: plan.screened,
    kvCache,
    work: allocator.takenBytes() + ropeTables + staged,
    // A token reads a matrix either by rows or by columns.
    bytesPerToken: layerBytes - columnBytes + vectors + plan.headBytes,
    kvBytesPerPosition,
  };
}

/** Every tensor except the matrices is a vector, which is f32 in memory. */
function vectorBytes(file: ModelFile, matrices: ReadonlySet<string>): number {
  let bytes = 0;
  for (const { name, shape } of file.tensors.values()) {
    if (!matrices.has(name)) bytes += 4 * shape.reduce((product, size) => product * size, 1);
  }
  return bytes;
}
