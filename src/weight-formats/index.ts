import { bf16 } from "./bf16.js";
import { f16 } from "./f16.js";
import { f32 } from "./f32.js";
import { i2S } from "./i2-s.js";
import { iq4Nl } from "./iq4-nl.js";
import { iq4Xs } from "./iq4-xs.js";
import { mxfp4 } from "./mxfp4.js";
import { q10 } from "./q1-0.js";
import { q20, q20Groups128 } from "./q2-0.js";
import { q2K } from "./q2-k.js";
import { q3K } from "./q3-k.js";
import { q40 } from "./q4-0.js";
import { q41 } from "./q4-1.js";
import { q4K } from "./q4-k.js";
import { q50 } from "./q5-0.js";
import { q51 } from "./q5-1.js";
import { q5K } from "./q5-k.js";
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
  q41,
  q50,
  q51,
  q80,
  q2K,
  q3K,
  q4K,
  q5K,
  q6K,
  iq4Nl,
  iq4Xs,
  mxfp4,
];

/**
 * Names of the type ids in use that this library does not decode, so that messages can say "IQ3_S" instead of
 * "type 21". Id 39 has two owners: BitNet's TL2, and upstream's MXFP4, which is decoded.
 */
const otherTypeNames: ReadonlyMap<number, string> = new Map([
  [4, "Q4_2"],
  [5, "Q4_3"],
  [9, "Q8_1"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
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
  [39, "TL2"],
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

/** The common name of a GGUF tensor type that is not decoded, such as "IQ3_S"; else "type 99". */
export function undecodedTypeName(id: number): string {
  return otherTypeNames.get(id) ?? `type ${id}`;
}

/**
 * True for ids of a decoded format that another program gave to a type of its own: only tensor sizes tell
 * which.
 */
export function isContestedId(id: number): boolean {
  return formatsById.has(id) && otherTypeNames.has(id);
}

/** Why a type that occurs in published files is not read. */
const refusals: ReadonlyMap<number, string> = new Map([
  [38, "whose layout depends on the build that wrote it: convert the model to I2_S"],
  [39, "whose layout depends on the build that wrote it: convert the model to I2_S"],
]);

/** The end of a message about an unreadable type, after "has type TL1, ". */
export function whyUnsupported(id: number): string {
  return refusals.get(id) ?? "which is not supported";
}
