import type { DotForm } from "./dot-forms.js";
import type { Kernels } from "./kernels.js";

/**
 * How a KV cache keeps keys and values. "f16": IEEE halves. "int8": bytes with scales, which are half as
 * large.
 */
export type CacheType = "f16" | "int8";
export const cacheTypes: readonly CacheType[] = ["f16", "int8"];

/** The dot form of attention over a cache of int8. There is no i16: products of two bytes do not fit it. */
export type AttentionForm = Exclude<DotForm, "i16">;

/** Attention over a cache of int8, in one form. */
export function int8Attention(kernels: Kernels, form: AttentionForm): Kernels["attention_int8_dot_i8"] {
  return form === "i32" ? kernels.attention_int8_dot_i32 : kernels.attention_int8_dot_i8;
}
