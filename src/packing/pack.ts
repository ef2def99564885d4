import type { MatrixRole, VectorRole } from "../architectures/description.js";
import { BitNetError, throwIfAborted } from "../errors.js";
import type { ModelFile, TensorInfo } from "../files/model-file.js";
import { type Kernels, transposeScratchBytes } from "../wasm/kernels.js";
import type { Place } from "../wasm/memory.js";
import { whyUnsupported } from "../weight-formats/index.js";
import { decodedPackers } from "./decoded.js";
import { groupSizeOf, type PackedMatrix, type PackedVector } from "./packed.js";
import { corrupt, type Packer, type Packing, pieceBytes } from "./packing.js";
import { ternaryFloatPackers } from "./ternary-floats.js";
import { ternaryGroupPackers } from "./ternary-groups.js";

export type { Packing } from "./packing.js";

/** Ways from disk formats to layouts. A new disk format is a line here. */
const filePackers: Readonly<Record<string, Packer>> = {
  I2_S: { packedBytes: (rows, cols) => (rows * cols) / 4, pack: packI2s },
  F16: { packedBytes: (rows, cols) => rows * cols * 2, pack: packF16 },
  BF16: {
    packedBytes: (rows, cols) => rows * cols * 2,
    pack: (p, t, r, g) => packVerbatim(p, t, r, g, "bf16-rows", 2),
  },
  F32: {
    packedBytes: (rows, cols) => rows * cols * 4,
    pack: (p, t, r, g) => packVerbatim(p, t, r, g, "f32-rows", 4),
  },
  ...ternaryGroupPackers,
  ...decodedPackers,
};
const packers: Readonly<Record<string, Packer>> = { ...filePackers, ...ternaryFloatPackers };

/** Names of the tensor types that matrices of files may have. */
export const packableTypes: readonly string[] = Object.keys(filePackers);

/**
 * Bytes of wasm memory that a matrix will take. An F16 matrix with values of 128 and above turns out to need twice that.
 * @throws BitNetError UNSUPPORTED_TENSOR_TYPE if no kernel reads its type.
 */
export function packedBytes(file: ModelFile, role: MatrixRole): number {
  const { packer } = find(file, role.tensor);
  return packer.packedBytes(role.rows, role.cols);
}

/** Reads a matrix into wasm memory in the layout that kernels read, piece by piece: nothing of it stays in JavaScript. */
export async function packMatrix(packing: Packing, role: MatrixRole, region: number): Promise<PackedMatrix> {
  const { packer, tensor } = find(packing.file, role.tensor);
  const packed = await packer.pack(packing, tensor, role, region);
  const [outputScale = 1] = role.outputScale === undefined ? [] : await readFloats(packing, role.outputScale);
  return { ...packed, scale: Math.fround(packed.scale * outputScale * (role.factor ?? 1)) };
}

/** Bytes of a ternary matrix by columns: its codes, whatever else it takes by rows. */
export function columnCopyBytes({ rows, cols }: Pick<PackedMatrix, "rows" | "cols">): number {
  return (rows * cols) / 4;
}

/** A copy of a ternary matrix by columns, in its region. Takes as much memory again. */
export function transposeTernary({ memories, kernels }: Packing, matrix: PackedMatrix): Place {
  const { region, address, rows, cols } = matrix;
  const columns = memories.allocate(region, columnCopyBytes(matrix), "a matrix by columns");
  const scratch = memories.allocate(region, transposeScratchBytes, "turning a matrix");
  kernels(region).transpose_ternary(address, rows, cols, 0, rows, columns, scratch);
  memories.free(region, scratch);
  return { region, address: columns };
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

function find(file: ModelFile, name: string): { readonly packer: Packer; readonly tensor: TensorInfo } {
  const tensor = requireTensor(file, name);
  const packer = packers[tensor.type];
  if (packer === undefined) {
    throw new BitNetError(
      "UNSUPPORTED_TENSOR_TYPE",
      `Cannot load "${file.source.name}": tensor "${name}" has type ${tensor.type}, ${whyUnsupported(tensor.typeId)} (supported: ${packableTypes.join(", ")})`,
      { details: { tensor: name, type: tensor.type } },
    );
  }
  return { packer, tensor };
}

/** @throws BitNetError MODEL_INVALID if the file has no such tensor. */
export function requireTensor(file: ModelFile, name: string): TensorInfo {
  const tensor = file.tensors.get(name);
  if (tensor !== undefined) return tensor;
  throw new BitNetError("MODEL_INVALID", `Cannot load "${file.source.name}": tensor "${name}" is missing`);
}

async function packI2s(
  packing: Packing,
  tensor: TensorInfo,
  role: MatrixRole,
  region: number,
): Promise<PackedMatrix> {
  const codeBytes = (role.rows * role.cols) / 4;
  const trailer = await tensor.source.read(tensor.offset + codeBytes, 4);
  const scale = new DataView(trailer.buffer, trailer.byteOffset).getFloat32(0, true);
  if (!Number.isFinite(scale)) throw corrupt(packing, tensor, codeBytes, `its scale is ${scale}`);
  const address = await readIntoMemory(packing, tensor, codeBytes, region, codeBytes, (at, bytes, begin) => {
    const bad = packing.kernels(region).check_ternary(at, bytes);
    if (bad !== 0) {
      throw corrupt(
        packing,
        tensor,
        begin + (bad - 1) * 32,
        "it holds a code 3, which stands for no ternary weight",
      );
    }
  });
  return { region, address, layout: "ternary-rows", rows: role.rows, cols: role.cols, scale, records: 0 };
}

async function packF16(
  packing: Packing,
  tensor: TensorInfo,
  role: MatrixRole,
  region: number,
): Promise<PackedMatrix> {
  const count = role.rows * role.cols;
  const matrix = { region, rows: role.rows, cols: role.cols, scale: 1, records: 0 } as const;
  let small = true;
  const address = await readIntoMemory(packing, tensor, count * 2, region, count * 2, (at, bytes) => {
    small &&= packing.kernels(region).pack_f16(at, at, bytes / 2) !== 0;
  });
  if (small) return { ...matrix, address, layout: "f16-rows" };
  // Rare: a weight of 128 or more has no rebiased half. Read it again, wide; progress has counted it once.
  packing.memories.free(region, address);
  const staging = packing.memories.allocate(region, pieceBytes, `reading ${tensor.name}`);
  const wide = packing.memories.allocate(region, count * 4, tensor.name);
  for (let begin = 0; begin < count * 2; begin += pieceBytes) {
    const bytes = Math.min(pieceBytes, count * 2 - begin);
    throwIfAborted(packing.signal);
    await tensor.source.readInto(
      tensor.offset + begin,
      packing.memories.view({ region, address: staging }, bytes),
    );
    packing.kernels(region).widen_f16(staging, wide + begin * 2, bytes / 2);
  }
  packing.memories.free(region, staging);
  return { ...matrix, address: wide, layout: "f32-rows" };
}

async function packVerbatim(
  packing: Packing,
  tensor: TensorInfo,
  role: MatrixRole,
  region: number,
  layout: "bf16-rows" | "f32-rows",
  elementBytes: number,
): Promise<PackedMatrix> {
  const bytes = role.rows * role.cols * elementBytes;
  const address = await readIntoMemory(packing, tensor, bytes, region, bytes, () => {});
  return { region, address, layout, rows: role.rows, cols: role.cols, scale: 1, records: 0 };
}

/** Allocates, then reads the tensor's first `bytes` bytes there, calling `onPiece` with each piece's address, size and start. */
async function readIntoMemory(
  packing: Packing,
  tensor: TensorInfo,
  bytes: number,
  region: number,
  allocateBytes: number,
  onPiece: (address: number, bytes: number, begin: number) => void,
): Promise<number> {
  const { memories } = packing;
  const address = memories.allocate(region, allocateBytes, `tensor "${tensor.name}"`);
  for (let begin = 0; begin < bytes; begin += pieceBytes) {
    throwIfAborted(packing.signal);
    const size = Math.min(pieceBytes, bytes - begin);
    await tensor.source.readInto(
      tensor.offset + begin,
      memories.view({ region, address: address + begin }, size),
    );
    onPiece(address + begin, size, begin);
    packing.onBytes(size);
  }
  packing.onBytes(tensor.bytes - bytes);
  return address;
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
  packing.onBytes(tensor.bytes);
  return values;
}

/** One row of a matrix, as f32 at `outputAddress` of its own region. */
export function readRow(kernels: Kernels, matrix: PackedMatrix, row: number, outputAddress: number): void {
  const { layout, address, cols, scale, records } = matrix;
  switch (layout) {
    case "f16-rows":
      return kernels.row_f16(address, cols, row, outputAddress);
    case "bf16-rows":
      return kernels.row_bf16(address, cols, row, outputAddress);
    case "f32-rows":
      return kernels.row_f32(address, cols, row, outputAddress);
    case "ternary-rows":
      return kernels.row_ternary(address, cols, row, scale, outputAddress);
    case "ternary-groups-64":
    case "ternary-groups-128":
      return kernels.row_ternary_groups(
        address,
        records,
        groupSizeOf(layout),
        cols,
        row,
        scale,
        outputAddress,
      );
    case "int8-rows":
      throw new BitNetError("UNSUPPORTED_TENSOR_TYPE", `An embedding in ${layout} has no kernel here`);
  }
}
