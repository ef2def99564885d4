import type { GroupSize, Kernels } from "../wasm/kernels.js";
import { base3Slack, groupScaleBytes, wholeBlocks } from "./ternary-blocks.js";

/** An encoding of activations for matmuls whose weights are integers: integers with scales. */
export interface InputFormat {
  readonly name: string;
  /** Bytes of a row's values. */
  valueBytes(cols: number): number;
  /** Bytes of a row's record: its scales, and sums of its values. */
  recordBytes(cols: number): number;
  /** Encodes rows. */
  quantize(kernels: Kernels, from: FloatRows, to: QuantizedRows): void;
}

/** Rows [tokens, cols] of f32 without gaps. */
export interface FloatRows {
  readonly address: number;
  readonly tokens: number;
  readonly cols: number;
}

/** Addresses of the values and the records of rows in one input format. */
export interface QuantizedRows {
  readonly values: number;
  readonly records: number;
}

/** The input of projections by name of the input format, in every format of their layouts. Plain data. */
export type QuantizedInput = Readonly<Record<string, QuantizedRows>>;

/** int8 [wholeBlocks(cols)], and a record {f32 scale, i32 sum} per row. */
export const i8Input: InputFormat = {
  name: "i8",
  valueBytes: wholeBlocks,
  recordBytes: () => 8,
  quantize: (kernels, { address, tokens, cols }, { values, records }) =>
    kernels.quantize_activations_i8(address, cols, tokens, cols * 4, values, wholeBlocks(cols), records),
};

/** 14-bit integers [cols] in two planes of bytes, and an f32 scale per row. */
export const i14Input: InputFormat = {
  name: "i14",
  valueBytes: (cols) => cols * 2,
  recordBytes: () => 4,
  quantize: (kernels, { address, tokens, cols }, { values, records }) =>
    kernels.quantize_activations_i14(address, cols, tokens, cols * 4, values, records),
};

/** int8 [wholeBlocks(cols)], and an f32 scale and an i32 sum per group of `size` columns. */
function groupsInput(size: GroupSize): InputFormat {
  return {
    name: `groups-${size}`,
    valueBytes: wholeBlocks,
    recordBytes: (cols) => 2 * groupScaleBytes(cols, size),
    quantize: (kernels, { address, tokens, cols }, { values, records }) =>
      kernels.quantize_activations_groups(address, cols, size, tokens, cols * 4, values, records),
  };
}

/** The input formats of groups, each once. */
export const groupInputs: Readonly<Record<GroupSize, InputFormat>> = {
  64: groupsInput(64),
  128: groupsInput(128),
};

/** int8 [cols], and a record of 32 bytes per block of 32 columns: a scale, and sums of the values. */
export const blocksInput: InputFormat = {
  name: "blocks-32",
  valueBytes: (cols) => cols,
  recordBytes: (cols) => cols,
  quantize: (kernels, { address, tokens, cols }, { values, records }) =>
    kernels.quantize_activations_blocks(address, cols, tokens, cols * 4, values, records),
};

/** Allocates rows [tokens, cols] in every format. */
export function allocateQuantized(
  formats: Iterable<InputFormat>,
  { tokens, cols }: { readonly tokens: number; readonly cols: number },
  take: (bytes: number) => number,
): QuantizedInput {
  return Object.fromEntries(
    Array.from(formats, ({ name, valueBytes, recordBytes }) => [
      name,
      {
        values: take(tokens * valueBytes(cols) + base3Slack.values),
        records: take(tokens * recordBytes(cols)),
      },
    ]),
  );
}

/** The rows in one format. @throws RangeError if there are none. */
export function quantizedRows(input: QuantizedInput, { name }: InputFormat): QuantizedRows {
  const rows = input[name];
  if (rows === undefined) throw new RangeError(`no input in the format ${name}`);
  return rows;
}
