import { bf16 } from "./bf16.js";
import { f16 } from "./f16.js";
import { f32 } from "./f32.js";
import { i2S } from "./i2-s.js";
import type { WeightFormat } from "./weight-format.js";

export type { WeightFormat } from "./weight-format.js";

/** Every number format that can be read. A new one is one file and one line here; tests iterate this table. */
export const weightFormats: readonly WeightFormat[] = [f32, f16, bf16, i2S];

/**
 * Names of the type ids in use that this library does not decode, so that messages can say "Q3_K" instead of "type 11".
 * Id 39 has two owners: BitNet's TL2 and upstream's MXFP4.
 */
const OTHER_TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [2, "Q4_0"],
  [3, "Q4_1"],
  [4, "Q4_2"],
  [5, "Q4_3"],
  [6, "Q5_0"],
  [7, "Q5_1"],
  [8, "Q8_0"],
  [9, "Q8_1"],
  [10, "Q2_K"],
  [11, "Q3_K"],
  [12, "Q4_K"],
  [13, "Q5_K"],
  [14, "Q6_K"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [20, "IQ4_NL"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [23, "IQ4_XS"],
  [24, "I8"],
  [25, "I16"],
  [26, "I32"],
  [27, "I64"],
  [28, "F64"],
  [29, "IQ1_M"],
  [31, "Q4_0_4_4"],
  [32, "Q4_0_4_8"],
  [33, "Q4_0_8_8"],
  [34, "TQ1_0"],
  [35, "TQ2_0"],
  [37, "I8_S"],
  [38, "TL1"],
  [39, "TL2 or MXFP4"],
  [40, "NVFP4"],
  [41, "Q1_0"],
  [42, "Q2_0"],
]);

const formatsById: ReadonlyMap<number, WeightFormat> = new Map(
  weightFormats.map((format) => [format.id, format]),
);

/** The format with a GGUF tensor type id; undefined where it cannot be decoded. */
export function weightFormatById(id: number): WeightFormat | undefined {
  return formatsById.get(id);
}

/** The field's name for a GGUF tensor type id, whether or not it can be decoded; "type 99" for one never assigned. */
export function weightTypeName(id: number): string {
  return formatsById.get(id)?.name ?? OTHER_TYPE_NAMES.get(id) ?? `type ${id}`;
}
