import type { MatrixRole } from "../../architectures/description.js";
import type { TensorInfo } from "../../files/model-file.js";
import type { DotForm } from "../../wasm/dot-forms.js";
import type { Kernels } from "../../wasm/kernels.js";
import type { LookupWorkspace } from "../../wasm/lookups.js";
import type { FormSelfTest } from "../../wasm/matmul-self-test.js";
import type { Location, Memories } from "../../wasm/memory.js";
import type { InputFormat, QuantizedInput, QuantizedRows } from "../input-formats.js";
import type { PackedMatrix } from "../packed.js";
import type { Packing } from "../packing.js";

/**
 * How a matrix lies in wasm memory, and everything that depends on it. A new layout is one file and one line
 * in index.ts.
 */
export interface Layout {
  /** The name in `PackedMatrix.layout`. */
  readonly name: string;
  /** Whether every weight is −1, 0 or 1 times a scale. */
  readonly ternary: boolean;
  /** Rows that lie together. The last ones are filled up to a multiple of it. Default: 1. */
  readonly rowsTogether?: number;
  /** Bytes of a row's weights. */
  weightBytes(cols: number): number;
  /** Bytes of a row's record or scales. */
  recordBytes(cols: number): number;
  /** The encoding of activations for `multiply`; undefined for f32 rows as they are. */
  readonly inputFormat: InputFormat | undefined;
  /** Ways into this layout, by name of the weight format. */
  readonly packers: Readonly<Record<string, Packer>>;
  /** Writes one row as f32 [cols] to `outputAddress` of the matrix's region: an embedding. */
  readRow(kernels: Kernels, matrix: PackedMatrix, row: number, outputAddress: number): void;
  /** y[t, r] (+)= Σₖ W[r, k] · x[t, k] for the rows of `output`. */
  multiply(worker: MatmulKernels, matrix: PackedMatrix, input: MatmulInput, output: MatmulOutput): void;
  /** Series of totals that `multiply` keeps if it uses lookup tables. Default: 0, for no lookup tables. */
  readonly lookupSeries?: number;
  /** Matmuls that skip zeros; undefined for layouts without them. */
  readonly sparse?: SparseMatmuls;
  /** Tests the dot forms of its kernels at load; undefined for layouts without dot forms. */
  readonly selfTest?: (memories: Memories) => FormSelfTest;
}

/** One way from a weight format into a layout. */
export interface Packer {
  /** Other layouts that the packer may give, depending on the weights. */
  readonly alternatives?: readonly Layout[];
  /** Bytes of the packed matrix with its records. */
  packedBytes(rows: number, cols: number): number;
  /** Reads the tensor and packs it into memory of `region`. */
  pack(packing: Packing, tensor: TensorInfo, role: MatrixRole, region: number): Promise<PackedParts>;
}

/** A packed matrix without its shape and region. */
export interface PackedParts {
  readonly address: number;
  /** Default: 1. */
  readonly scale?: number;
  /** Default: 0, for no records. */
  readonly records?: number;
  /** Default: the layout that has the packer. */
  readonly layout?: Layout;
  /** False for codes that lookup tables have no entries for. Default: true. */
  readonly takesLookup?: boolean;
}

/** The kernels of one thread. */
export interface MatmulKernels {
  kernels(region: number): Kernels;
  /**
   * Kernels of the 256-bit module, or the same where there is none. Only for kernels that were self-tested in
   * it.
   */
  kernels256(region: number): Kernels;
  /** The dot form of matmuls in the pass under way. */
  readonly form: DotForm;
  /** Whether matmuls of several tokens use the tiles for 256 bits in the pass under way. */
  readonly wideTiles: boolean;
  /** Whether matmuls of many tokens use lookup tables in the pass under way. */
  readonly lookup: boolean;
  /** The kernels of matmuls of int8 rows. */
  screenKernels(region: number): Kernels;
  /** The kernels of matmuls by lookup tables. */
  lookupKernels(region: number): Kernels;
}

/** The input of a matmul, [tokens, cols], in the matrix's region. */
export interface MatmulInput {
  readonly tokens: number;
  /** Address of the rows as f32 without gaps. */
  readonly f32: number;
  /** The rows in the input formats of the matrices that read them. */
  readonly quantized: QuantizedInput;
}

/** Where a matmul writes. */
export interface MatmulOutput {
  /** Address of y [tokens, …] f32. */
  readonly address: number;
  /** Bytes between rows of y. */
  readonly stride: number;
  /** Rows [begin, end) of the matrix: columns of y. */
  readonly begin: number;
  readonly end: number;
  /** Whether to add to y instead of overwriting it. */
  readonly accumulate: boolean;
  /** Address of the worker's own `matmulScratchBytes`. */
  readonly scratch: number;
  /** The worker's own; undefined where passes have few tokens, or no layout has lookup tables. */
  readonly lookup: LookupWorkspace | undefined;
}

/** Matmuls of one token that skip zeros. Their results have the bits of `multiply`. */
export interface SparseMatmuls {
  /** Whether `multiplyListed` takes the matrix. */
  takesListed(matrix: MatrixShape): boolean;
  /** y[r] = Σₖ W[r, k] · x[k] for the listed rows r; leaves the other y as they are. */
  multiplyListed(worker: MatmulKernels, matrix: PackedMatrix, operands: ListedOperands): void;
  /** Undefined for layouts without copies by columns. */
  readonly columns?: ColumnMatmuls;
}

/** Matmuls with a copy of the matrix by columns. */
export interface ColumnMatmuls {
  /** Rows of the copy are worked on in multiples of this. */
  readonly rowGranule: number;
  /** Whether the matrix can have a copy. */
  takes(matrix: MatrixShape): boolean;
  /** Bytes of the copy. */
  bytes(matrix: MatrixShape): number;
  /** Makes a copy in the matrix's region. */
  transpose(packing: Packing, matrix: PackedMatrix): Location;
  /** y[r] += Σₖ W[r, k] · x[k] over the listed columns k, for rows [begin, end). */
  add(
    worker: MatmulKernels,
    matrix: PackedMatrix,
    operands: ListedOperands & {
      readonly columns: Location;
      readonly begin: number;
      readonly end: number;
    },
  ): void;
}

export type MatrixShape = Pick<PackedMatrix, "rows" | "cols">;

/** Operands of a matmul over listed rows or columns. */
export interface ListedOperands {
  /** Address of the list: u32 indexes. */
  readonly list: number;
  /** Length of the list. */
  readonly listed: number;
  /** One row. */
  readonly input: QuantizedRows;
  /** Address of y [rows] f32. */
  readonly output: number;
  /** For listed rows `matmulScratchBytes`; for columns the sums of all rows. */
  readonly scratch: number;
}
