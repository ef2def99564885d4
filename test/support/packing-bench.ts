import type { ModelFile, TensorInfo } from "#dist/files/model-file.js";
import { readRow } from "#dist/packing/layouts/index.js";
import { packedBytes, packMatrix } from "#dist/packing/pack.js";
import type { PackedMatrix } from "#dist/packing/packed.js";
import type { PackingGoal } from "#dist/packing/packing.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { type CompiledKernels, instantiateKernels } from "#dist/wasm/kernel-build.js";
import { createMemories } from "#dist/wasm/memory.js";
import { formatOf } from "./reformatted-model.js";

/** A packed matrix, and the cost of packing it. */
export interface Packed {
  readonly matrix: PackedMatrix;
  /** The weights as f32, row by row, as an embedding reads them. */
  readonly weights: Float32Array;
  readonly estimatedBytes: number;
  readonly usedBytes: number;
  readonly reportedBytes: number;
}

/** The offset of the tensor in its file. */
export const firstByte = 96;

/** Packs one tensor, "w", from a file without other tensors. */
export async function packOne(
  compiled: CompiledKernels,
  name: string,
  [rows, cols]: readonly [number, number],
  data: Uint8Array,
  goal: PackingGoal = "fast",
): Promise<Packed> {
  const format = formatOf(name);
  const bytes = new Uint8Array(firstByte + data.length);
  bytes.set(data, firstByte);
  const tensor: TensorInfo = {
    name: "w",
    shape: [cols, rows],
    type: format.name,
    typeId: format.id,
    format,
    offset: firstByte,
    bytes: data.length,
    source: bytesSource(bytes),
  };
  const file: ModelFile = {
    container: "gguf",
    version: 3,
    source: bytesSource(bytes),
    metadata: new Map(),
    metadataTypes: new Map(),
    tensors: new Map([["w", tensor]]),
  };

  const memories = createMemories(64 << 20);
  const { index: region, memory } = memories.addRegion();
  const kernels = instantiateKernels(compiled.module, memory);
  let reportedBytes = 0;
  const packing = {
    file,
    memories,
    goal,
    kernels: () => kernels,
    onBytes: (count: number) => void (reportedBytes += count),
    signal: undefined,
  };
  const role = { tensor: "w", rows, cols, outputScale: undefined };
  const matrix = await packMatrix(packing, role, region);
  const usedBytes = memories.regions[region]?.usedBytes ?? 0;
  const weights = new Float32Array(rows * cols);
  const row = memories.allocate(region, cols * 4, "a test");
  for (let r = 0; r < rows; r += 1) {
    readRow(kernels, matrix, r, row);
    weights.set(new Float32Array(memory.buffer, row, cols), r * cols);
  }
  return { matrix, weights, usedBytes, reportedBytes, estimatedBytes: packedBytes(file, role, goal) };
}
