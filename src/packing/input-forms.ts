import { groupScaleBytes, type PackedLayout, type PackedMatrix, wholeBlocks } from "./packed.js";
import type { GroupSize, Kernels } from "../wasm/kernels.js";

/** How a kernel wants its input: as f32 or as integers, with one scale for a token or one for each group of its columns. */
export type InputForm = "f32" | QuantizedForm;
export type QuantizedForm = "i8" | "i14" | `groups-${GroupSize}`;

/** Where rows of one quantized form are. */
export interface QuantizedRows {
  readonly values: number;
  readonly records: number;
}

/** The input of projections in every form that their matrices want. */
export type QuantizedInput = Readonly<Partial<Record<QuantizedForm, QuantizedRows>>>;

/** Bytes of a row, and the kernel that makes rows. */
interface Quantization {
  valueBytes(cols: number): number;
  recordBytes(cols: number): number;
  quantize(
    kernels: Kernels,
    from: number,
    cols: number,
    tokens: number,
    stride: number,
    values: number,
    records: number,
  ): void;
}

const formOf: Readonly<Record<PackedLayout, InputForm>> = {
  "ternary-rows": "i8",
  "ternary-groups-64": "groups-64",
  "ternary-groups-128": "groups-128",
  "f16-rows": "f32",
  "bf16-rows": "f32",
  "f32-rows": "f32",
  "int8-rows": "i14",
};

const quantizations: Readonly<Record<QuantizedForm, Quantization>> = {
  i8: {
    valueBytes: wholeBlocks,
    recordBytes: () => 8,
    quantize: (kernels, from, cols, tokens, stride, values, records) =>
      kernels.quantize_activations_i8(from, cols, tokens, stride, values, wholeBlocks(cols), records),
  },
  i14: {
    valueBytes: (cols) => cols * 2,
    recordBytes: () => 4,
    quantize: (kernels, from, cols, tokens, stride, values, records) =>
      kernels.quantize_activations_i14(from, cols, tokens, stride, values, records),
  },
  "groups-64": inGroups(64),
  "groups-128": inGroups(128),
};

function inGroups(size: GroupSize): Quantization {
  return {
    valueBytes: wholeBlocks,
    recordBytes: (cols) => 2 * groupScaleBytes(cols, size),
    quantize: (kernels, from, cols, tokens, stride, values, records) =>
      kernels.quantize_activations_groups(from, cols, size, tokens, stride, values, records),
  };
}

/** The forms of input that some matrices want, each once. */
export function inputForms(matrices: Iterable<PackedMatrix>): ReadonlySet<InputForm> {
  return new Set(Array.from(matrices, ({ layout }) => formOf[layout]));
}

/** Where a matrix finds its input in the form that it wants. */
export function quantizedFor({ layout }: PackedMatrix, input: QuantizedInput): QuantizedRows {
  const form = formOf[layout];
  const rows = form === "f32" ? undefined : input[form];
  if (rows === undefined) throw new RangeError(`no input for ${layout}`);
  return rows;
}

/** Takes memory for so many rows in every form. */
export function allocateQuantized(
  forms: ReadonlySet<InputForm>,
  tokens: number,
  cols: number,
  take: (bytes: number) => number,
): QuantizedInput {
  const rows: Partial<Record<QuantizedForm, QuantizedRows>> = {};
  for (const form of forms) {
    if (form === "f32") continue;
    const { valueBytes, recordBytes } = quantizations[form];
    rows[form] = { values: take(tokens * valueBytes(cols)), records: take(tokens * recordBytes(cols)) };
  }
  return rows;
}

/** Quantizes rows [begin, end), of which the first is at `from`, in every form that is asked for. */
export function quantizeRows(
  kernels: Kernels,
  forms: ReadonlySet<InputForm>,
  input: QuantizedInput,
  from: number,
  cols: number,
  begin: number,
  end: number,
): void {
  for (const form of forms) {
    if (form === "f32") continue;
    const rows = input[form];
    if (rows === undefined) throw new RangeError(`no room for the input form ${form}`);
    const { valueBytes, recordBytes, quantize } = quantizations[form];
    const [values, records] = [
      rows.values + begin * valueBytes(cols),
      rows.records + begin * recordBytes(cols),
    ];
    quantize(kernels, from, cols, end - begin, cols * 4, values, records);
  }
}
