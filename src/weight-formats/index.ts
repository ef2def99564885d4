import { bf16 } from "./bf16.js";
import { f16 } from "./f16.js";
import { f32 } from "./f32.js";
import { i2S } from "./i2-s.js";
import { q10 } from "./q1-0.js";
import { q20, q20Groups128 } from "./q2-0.js";
import { q40 } from "./q4-0.js";
import { q4K } from "./q4-k.js";
import { q50 } from "./q5-0.js";
import { q6K } from "./q6-k.js";
import { q80 } from "./q8-0.js";
import { tq10 } from "./tq1-0.js";
import { tq20 } from "./tq2-0.js";
import type { WeightFormat } from "./weight-format.js";

export type { WeightFormat } from "./weight-format.js";

/**
 * Every readable number format. A new format is one file and one line here; tests iterate this table. Of
 * formats with a shared id, the standard one comes first.
 */
export const weightFormats: readonly WeightFormat[] = [
  f32,
  f16,
  bf16,
  i2S,
  tq10,
  tq20,
  q10,
  q20,
  q20Groups128,
  q40,
  q50,
  q80,
  q4K,
  q6K,
];

/**
 * Names of used type ids that this library does not decode, so that messages say "Q3_K" instead of "type 11".
 * Id 39 has two owners: BitNet's TL2 and upstream's MXFP4.
 */
const otherTypeNames: ReadonlyMap<number, string> = new Map([
  [3, "Q4_1"],
  [4, "Q4_2"],
  [5, "Q4_3"],
  [7, "Q5_1"],
  [9, "Q8_1"],
  [10, "Q2_K"],
  [11, "Q3_K"],
  [13, "Q5_K"],
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
  [37, "I8_S"],
  [38, "TL1"],
  [39, "TL2 or MXFP4"],
  [40, "NVFP4"],
  [142, "PQ2_0"],
  [143, "PTQ1_0"],
]);

const formatsById: ReadonlyMap<number, readonly WeightFormat[]> = new Map(
  weightFormats.map(({ id }) => [id, weightFormats.filter((format) => format.id === id)]),
);

const formatsByName: ReadonlyMap<string, WeightFormat> = new Map(
  weightFormats.map((format) => [format.name.toLowerCase(), format]),
);

/**
 * The formats that files write under a GGUF tensor type id, the standard one first. Empty for an unreadable
 * type. Only the byte size of a tensor tells them apart.
 */
export function weightFormatsById(id: number): readonly WeightFormat[] {
  return formatsById.get(id) ?? [];
}

/** The standard format of a GGUF tensor type id. Undefined for an unreadable type. */
export function weightFormatById(id: number): WeightFormat | undefined {
  return formatsById.get(id)?.[0];
}

/** The format of a typed name, "i2_s" or "I2_S". Undefined for other names. */
export function weightFormatByName(name: string): WeightFormat | undefined {
  return formatsByName.get(name.toLowerCase());
}

/** The common name of a GGUF tensor type id, readable or not. An id never assigned is "type 99". */
export function weightTypeName(id: number): string {
  return weightFormatById(id)?.name ?? otherTypeNames.get(id) ?? `type ${id}`;
}

/** Why a type that occurs in published files is not read. */
const refusals: ReadonlyMap<number, string> = new Map([
  [38, "whose layout depends on the build that wrote it: convert the model to I2_S"],
  [39, "whose layout (if it is TL2) depends on the build that wrote it: convert the model to I2_S"],
]);

/** The end of a message about an unreadable type, after "has type TL1, ". */
export function whyUnsupported(id: number): string {
  return refusals.get(id) ?? "which is not supported";
}
