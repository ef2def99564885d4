import type { MatrixRole, VectorRole } from "../architectures/description.js";
import { BitNetError, throwIfAborted } from "../errors.js";
import type { ModelFile, TensorInfo } from "../files/model-file.js";
import { blockBytes } from "../wasm/blocks.js";
import type { FormSelfTest } from "../wasm/matmul-self-test.js";
import type { Memories } from "../wasm/memory.js";
import { weightFormatByName, whyUnsupported } from "../weight-formats/index.js";
import { notFinite } from "./finite.js";
import { layouts, layoutsFor } from "./layouts/index.js";
import type { ColumnMatmuls, Layout, Packer } from "./layouts/layout.js";
import type { PackedMatrix, PackedVector } from "./packed.js";
import { type Packing, type PackingGoal, pieceBytes } from "./packing.js";

/** Names of the weight formats that matrices of files may have. */
export const packableTypes: readonly string[] = layoutsFor.fast
  .flatMap(({ packers }) => Object.keys(packers))
  .filter((name) => weightFormatByName(name) !== undefined);

/** A layout's packer for a weight format, and all layouts that it may give. */
interface Way {
  readonly packer: Packer;
  readonly layout: Layout;
  readonly possible: readonly Layout[];
}

/** By name of the weight format: the one place that decides which layout a tensor gets. */
const waysFor: Readonly<Record<PackingGoal, ReadonlyMap<string, Way>>> = {
  fast: waysInto(layoutsFor.fast),
  small: waysInto(layoutsFor.small),
};

function waysInto(preferred: readonly Layout[]): ReadonlyMap<string, Way> {
  const ways = new Map<string, Way>();
  for (const layout of preferred) {
    for (const [name, packer] of Object.entries(layout.packers)) {
      if (ways.has(name)) continue;
      ways.set(name, { packer, layout, possible: [layout, ...(packer.alternatives ?? [])] });
    }
  }
  return ways;
}

/**
 * Bytes of wasm memory that a matrix will take. An F16 matrix with values of 128 and above turns out to need
 * twice that.
 * @throws BitNetError UNSUPPORTED_TENSOR_TYPE if no layout has a packer for its weight format.
 */
export function packedBytes(file: ModelFile, role: MatrixRole, goal: PackingGoal): number {
  return findWay(file, role.tensor, goal).packer.packedBytes(role.rows, role.cols);
}

/** An upper bound of the bytes that `packMatrix` takes while it works, except for the F16 matrix above. */
export function packingBytes(file: ModelFile, role: MatrixRole, goal: PackingGoal): number {
  const { packer, tensor } = findWay(file, role.tensor, goal);
  const packed = packer.packedBytes(role.rows, role.cols);
  const piece = Math.min(tensor.bytes, Math.max(pieceBytes, tensor.bytes / role.rows));
  // Scales of groups may be merged into new ones when the piece is free again.
  const scratch = Math.max(piece, packed / 8) + 2 * role.cols;
  // Blocks are rounded up, and some layouts have slack.
  return blockBytes(packed + scratch + 1024);
}

/**
 * Reads a matrix into wasm memory piece by piece, in the layout that kernels read. Nothing of it stays in
 * JavaScript.
 */
export async function packMatrix(packing: Packing, role: MatrixRole, region: number): Promise<PackedMatrix> {
  const { packer, layout, tensor } = findWay(packing.file, role.tensor, packing.goal);
  const packed = await packer.pack(packing, tensor, role, region);
  const packedLayout = packed.layout ?? layout;
  const [outputScale = 1] = role.outputScale === undefined ? [] : await readFloats(packing, role.outputScale);
  return {
    region,
    address: packed.address,
    layout: packedLayout.name,
    rows: role.rows,
    cols: role.cols,
    scale: Math.fround((packed.scale ?? 1) * outputScale * (role.factor ?? 1)),
    records: packed.records ?? 0,
    lookupSeries: packed.takesLookup === false ? 0 : (packedLayout.lookupSeries ?? 0),
  };
}

/** The matmuls by columns that a tensor's layout may have; undefined if the first of its layouts has none. */
export function columnMatmulsOf(
  file: ModelFile,
  { tensor }: MatrixRole,
  goal: PackingGoal,
): ColumnMatmuls | undefined {
  const type = file.tensors.get(tensor)?.type;
  return waysFor[goal].get(type ?? "")?.possible.find(({ sparse }) => sparse !== undefined)?.sparse?.columns;
}

/** The self-tests of all layouts that tensors of these types may get, each once. */
export function selfTestsOf(
  tensors: Iterable<Pick<TensorInfo, "type">>,
  goals: readonly PackingGoal[],
): readonly ((memories: Memories) => FormSelfTest)[] {
  const possible = new Set<Layout>();
  for (const { type } of tensors) {
    for (const goal of goals)
      for (const layout of waysFor[goal].get(type)?.possible ?? []) possible.add(layout);
  }
  return layouts.flatMap((layout) => (possible.has(layout) && layout.selfTest ? [layout.selfTest] : []));
}

/** Reads a vector of any decodable type into wasm memory as f32, times its factor. */
export async function packVector(packing: Packing, role: VectorRole, region: number): Promise<PackedVector> {
  const { factor = 1 } = role;
  const stored = await readFloats(packing, role.tensor);
  const values = factor === 1 ? stored : stored.map((value) => value * factor);
  const address = packing.memories.allocate(region, values.byteLength, role.tensor);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  packing.memories.view({ region, address }, values.byteLength).set(bytes);
  return { region, address, length: role.length };
}

function findWay(file: ModelFile, name: string, goal: PackingGoal): Way & { readonly tensor: TensorInfo } {
  const tensor = requireTensor(file, name);
  const way = waysFor[goal].get(tensor.type);
  if (way === undefined) {
    throw new BitNetError(
      "UNSUPPORTED_TENSOR_TYPE",
      `Cannot load "${file.source.name}": tensor "${name}" has type ${tensor.type}, ${whyUnsupported(tensor.typeId)} (supported: ${packableTypes.join(", ")})`,
      { details: { tensor: name, type: tensor.type } },
    );
  }
  return { ...way, tensor };
}

/** @throws BitNetError MODEL_INVALID if the file has no such tensor. */
export function requireTensor(file: ModelFile, name: string): TensorInfo {
  const tensor = file.tensors.get(name);
  if (tensor !== undefined) return tensor;
  throw new BitNetError("MODEL_INVALID", `Cannot load "${file.source.name}": tensor "${name}" is missing`);
}

/** A whole tensor as f32: for vectors, which are small. */
async function readFloats(packing: Packing, name: string): Promise<Float32Array> {
  const { file } = packing;
  const tensor = file.tensors.get(name);
  if (tensor?.format === undefined || tensor.format.ternary) {
    throw new BitNetError(
      "UNSUPPORTED_TENSOR_TYPE",
      `Cannot load "${file.source.name}": tensor "${name}" has type ${tensor?.type ?? "unknown"}, and a vector must be F32, F16 or BF16`,
      { details: { tensor: name, type: tensor?.type } },
    );
  }
  throwIfAborted(packing.signal);
  const values = tensor.format.decode(
    await tensor.source.read(tensor.offset, tensor.bytes),
    tensor.shape.reduce((product, size) => product * size, 1),
  );
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad !== -1) throw notFinite(packing, tensor, bad);
  packing.onBytes(tensor.bytes);
  return values;
}
