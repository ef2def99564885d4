import { openModelFile } from "#dist/files/index.js";
import type { ModelFile } from "#dist/files/model-file.js";
import { readRow } from "#dist/packing/layouts/index.js";
import { packMatrix, packVector } from "#dist/packing/pack.js";
import type { Packing } from "#dist/packing/packing.js";
import type { PackedMatrix } from "#dist/packing/packed.js";
import { openFileSource } from "#dist/platform/node.js";
import { compileKernels, instantiateKernels, type KernelBuild } from "#dist/wasm/kernel-build.js";
import { ternaryKernel } from "#dist/wasm/dot-forms.js";
import { attentionPositions, attentionScratchBytes, ternaryScratchBytes } from "#dist/wasm/kernels.js";
import { createMemories } from "#dist/wasm/memory.js";
import { chooseForm } from "#dist/wasm/choose-matmul.js";
import { createMatmulSelfTest } from "#dist/wasm/matmul-self-test.js";

/** Rows of f32, one per token. */
export type Rows = Float32Array;

export interface Rotation {
  readonly heads: number;
  readonly headSize: number;
  readonly dimensions: number;
  readonly base: number;
  readonly pairing: "halves" | "adjacent";
}

/** A model's tensors in memory, and single operations on given numbers with the engine's kernels. */
export interface Workbench {
  readonly file: ModelFile;
  has(tensor: string): boolean;
  number(key: string): number;
  /** W · quantized(x), added to `onto` if given. */
  bitLinear(tensor: string, x: Rows, onto?: Rows): Promise<Rows>;
  /** W · x of a float matrix. */
  floatLinear(tensor: string, x: Rows): Promise<Rows>;
  embeddingRow(tensor: string, row: number): Promise<Rows>;
  rmsNorm(tensor: string, x: Rows, epsilon: number): Promise<Rows>;
  /** Heads rotated by the angles of positions 0, 1, 2, … */
  rotate(x: Rows, tokens: number, rotation: Rotation): Rows;
  roundToHalves(x: Rows): Rows;
  /** One head: q [tokens, headSize] over k, v [tokens, headSize]. */
  attend(query: Rows, keys: Rows, values: Rows, headSize: number): Rows;
  gate(kind: "relu2" | "silu", gate: Rows, up: Rows): Rows;
  close(): Promise<void>;
}

export async function openWorkbench(path: string, build: KernelBuild): Promise<Workbench> {
  const source = await openFileSource(path);
  const file = await openModelFile(source);
  const { module } = await compileKernels(build);
  const memories = createMemories(64 << 20);
  const region = memories.addRegion();
  const kernels = instantiateKernels(module, region.memory);
  const multiplyTernary = ternaryKernel(
    kernels,
    chooseForm(build, kernels, createMatmulSelfTest(memories)).form,
  );
  const packing: Packing = {
    file,
    memories,
    goal: "fast",
    kernels: () => kernels,
    onBytes: () => undefined,
    signal: undefined,
  };
  const matrices = new Map<string, PackedMatrix>();

  const take = (bytes: number): number => memories.allocate(0, bytes, "a test");
  const write = (values: Float32Array): number => {
    const address = take(values.byteLength);
    new Float32Array(region.memory.buffer, address, values.length).set(values);
    return address;
  };
  const read = (address: number, count: number): Rows =>
    new Float32Array(new Float32Array(region.memory.buffer, address, count));

  /** Rounds to halves, as the cache does. */
  const halves = (x: Float32Array): number => {
    const address = take(x.length * 2);
    kernels.store_heads_f16(write(x), 1, 0, 0, 1, x.length, address, 0, 0);
    return address;
  };

  async function matrix(tensor: string): Promise<PackedMatrix> {
    const [cols = 0, rows = 0] = file.tensors.get(tensor)?.shape ?? [];
    const packed =
      matrices.get(tensor) ?? (await packMatrix(packing, { tensor, rows, cols, outputScale: undefined }, 0));
    matrices.set(tensor, packed);
    return packed;
  }

  return {
    file,
    has: (tensor) => file.tensors.has(tensor),
    number(key): number {
      const value = file.metadata.get(`${String(file.metadata.get("general.architecture"))}.${key}`);
      if (typeof value !== "number") throw new Error(`${path} has no number "${key}"`);
      return value;
    },
    async bitLinear(tensor, x, onto): Promise<Rows> {
      const { address, rows, cols, scale } = await matrix(tensor);
      const tokens = x.length / cols;
      const quantized = take(x.length);
      const records = take(tokens * 8);
      const output = onto === undefined ? take(tokens * rows * 4) : write(onto);
      kernels.quantize_activations_i8(write(x), cols, tokens, cols * 4, quantized, cols, records);
      const accumulate = onto === undefined ? 0 : 1;
      multiplyTernary(
        address,
        cols,
        0,
        rows,
        quantized,
        cols,
        records,
        tokens,
        output,
        rows * 4,
        take(ternaryScratchBytes),
        scale,
        accumulate,
      );
      return read(output, tokens * rows);
    },
    async floatLinear(tensor, x): Promise<Rows> {
      const { address, rows, cols, layout } = await matrix(tensor);
      if (layout !== "f16-rows") throw new Error(`${tensor} has layout ${layout}`);
      const tokens = x.length / cols;
      const output = take(tokens * rows * 4);
      kernels.matmul_f16_f32(address, cols, 0, rows, write(x), cols * 4, tokens, output, rows * 4, 1, 0);
      return read(output, tokens * rows);
    },
    async embeddingRow(tensor, row): Promise<Rows> {
      const packed = await matrix(tensor);
      const output = take(packed.cols * 4);
      readRow(kernels, packed, row, output);
      return read(output, packed.cols);
    },
    async rmsNorm(tensor, x, epsilon): Promise<Rows> {
      const [cols = 0] = file.tensors.get(tensor)?.shape ?? [];
      const weights = await packVector(packing, { tensor, length: cols }, 0);
      const output = take(x.byteLength);
      kernels.rms_norm(write(x), cols, x.length / cols, cols * 4, weights.address, epsilon, output, cols * 4);
      return read(output, x.length);
    },
    rotate(x, tokens, { heads, headSize, dimensions, base, pairing }): Rows {
      const table = take(tokens * dimensions * 4);
      const frequencies = take(dimensions * 4);
      kernels.rope_frequencies(frequencies, dimensions, base, 1, 0, 1, 1, 1, 0);
      kernels.rope_table(table, 0, tokens, dimensions, frequencies, 1);
      const address = write(x);
      const stride = heads * headSize * 4;
      const rope = kernels[`rope_${pairing}`];
      rope(address, tokens, stride, 0, heads, headSize, table, dimensions, address, headSize * 4, stride);
      return read(address, x.length);
    },
    roundToHalves(x): Rows {
      const address = write(x);
      kernels.widen_f16(halves(x), address, x.length);
      return read(address, x.length);
    },
    attend(query, keys, values, headSize): Rows {
      const tokens = query.length / headSize;
      const output = take(query.byteLength);
      const positions = attentionPositions(tokens);
      const scratch = take(attentionScratchBytes(headSize, positions));
      const scale = Math.fround(1 / Math.sqrt(headSize));
      const stride = headSize * 4;
      const [q, k, v] = [write(query), halves(keys), halves(values)];
      // prettier-ignore
      kernels.attention(
        q, stride, k, v, headSize, 1, 0, tokens, tokens, scale, scratch, positions, output, stride,
      );
      return read(output, query.length);
    },
    gate(kind, gate, up): Rows {
      const address = write(gate);
      kernels[`gate_${kind}`](address, write(up), 1, 0, 0, gate.length);
      return read(address, gate.length);
    },
    close: () => source.close(),
  };
}
