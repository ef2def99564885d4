import type { MatrixRole, ModelDescription } from "../architectures/index.js";
import type { ModelFile } from "../files/model-file.js";
import { ropeTableBytes } from "../packing/rope-table.js";
import { createCountingAllocator } from "../wasm/memory.js";
import { kvBytesPerToken } from "../model/context-length.js";
import { fileRowsBytes } from "./file-rows.js";
import { createPlacer, matricesOf, planWeights } from "../model/load-model.js";
import { allocateWork } from "../graph/work-plan.js";

/** What a model takes in memory, by the functions that plan it when it is loaded. Bytes. */
export interface MemoryEstimate {
  /** Matrices, norms and scales, but the head. */
  readonly weights: number;
  /** The output matrix, or its screen. */
  readonly head: number;
  readonly headScreened: boolean;
  /** Keys and values of one full context. */
  readonly kvCache: number;
  /** One session's buffers and logits, rotary tables, and rows of the head on their way from the file. */
  readonly work: number;
  /** What a generated token reads of weights, each byte once. */
  readonly bytesPerToken: number;
  /** What it reads of keys and values, for each position before it. */
  readonly kvBytesPerPosition: number;
}

/**
 * @param options.bytesOf what a matrix takes in the layout that it is packed into.
 */
export function estimateMemory(
  file: ModelFile,
  description: ModelDescription,
  options: {
    readonly contextLength: number;
    readonly threads: number;
    readonly bytesOf: (role: MatrixRole) => number;
  },
): MemoryEstimate {
  const { contextLength, threads, bytesOf } = options;
  const { sizes, head, embedding } = description;
  const plan = planWeights(file, description, { head: "auto", sparsity: "auto" }, bytesOf);
  const kvBytesPerPosition = kvBytesPerToken(sizes);
  const kvCache = kvBytesPerPosition * contextLength;

  let regions = 1;
  const place = createPlacer(() => regions++);
  const layers = description.layers.map((layer, index) => ({
    ...layer,
    region: place((plan.layerBytes[index] ?? 0) + kvCache / sizes.layers),
  }));
  const headRegion = place(plan.headBytes);
  const embeddingRegion = plan.embeddingBytes === 0 ? headRegion : place(plan.embeddingBytes);
  const allocator = createCountingAllocator(regions);
  // What a token's activations take is small in every form.
  const inputForms = new Set(["i8", "i14"] as const);
  const screen = plan.screened ? {} : undefined;
  const model = { sizes, layers, headRegion, embeddingRegion, inputForms, screen };
  allocateWork(allocator, model, { id: 0, contextLength, members: threads });
  const ropeTables = description.ropes
    .map((rope, index) => {
      const regions = new Set(layers.filter((layer) => layer.rope === index).map(({ region }) => region));
      return ropeTableBytes(rope, contextLength) * regions.size;
    })
    .reduce((sum, bytes) => sum + bytes, 0);
  // A screened head's rows, and those of an embedding apart from it, come from the file.
  const staged = plan.screened ? fileRowsBytes(head.cols) * (plan.tied ? 1 : 2) : 0;

  const matrices = [...description.layers.flatMap(matricesOf), head, embedding];
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
    // Of a matrix that is there by rows and by columns a token reads one.
    bytesPerToken: layerBytes - columnBytes + vectors + plan.headBytes,
    kvBytesPerPosition,
  };
}

/** All that is no matrix is a vector, which is f32 in memory. */
function vectorBytes(file: ModelFile, matrices: ReadonlySet<string>): number {
  let bytes = 0;
  for (const { name, shape } of file.tensors.values()) {
    if (!matrices.has(name)) bytes += 4 * shape.reduce((product, size) => product * size, 1);
  }
  return bytes;
}
