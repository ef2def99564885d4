import { describe, expect, it } from "vitest";
import { createAttentionSelfTest } from "#dist/wasm/attention-self-test.js";
import type { AttentionForm, CacheType } from "#dist/wasm/cache-types.js";
import type { DotForm } from "#dist/wasm/dot-forms.js";
import { compileKernels, instantiateKernels } from "#dist/wasm/kernel-build.js";
import { createMemories } from "#dist/wasm/memory.js";

/** Index of the output address among the arguments. */
const outputArgument = 13;

/**
 * The form that is chosen with form i8 for both, where the second one changes the last bit of a number from
 * the call `wrongFrom` on.
 */
async function chosenForm(options: {
  readonly wrongFrom?: number;
  readonly cacheType?: CacheType;
  readonly build?: "simd128";
  readonly wanted?: DotForm;
}): Promise<{ readonly form: AttentionForm; readonly usedBytes: number | undefined }> {
  const { wrongFrom = Infinity, cacheType = "int8", build = "relaxed", wanted } = options;
  const compiled = await compileKernels("simd128");
  const memories = createMemories(8 << 20);
  const { memory } = memories.addRegion();
  const kernels = { ...instantiateKernels(compiled.module, memory) };
  const right: (...args: number[]) => void = kernels.attention_int8_dot_i8;
  let calls = 0;
  const second = (...args: number[]): void => {
    right(...args);
    calls += 1;
    if (calls < wrongFrom) return;
    const first = new Uint32Array(memory.buffer, args[outputArgument], 1);
    first[0] = (first[0] ?? 0) ^ 1;
  };
  Object.assign(kernels, { attention_int8_dot_i32: second });
  const selfTest = createAttentionSelfTest(memories, cacheType);
  const form = selfTest.chooseForm(build, kernels, wanted);
  selfTest.free();
  return { form, usedBytes: memories.regions[0]?.usedBytes };
}

describe("the form of attention over a cache of int8", () => {
  it.each([
    { name: "i32 where both agree", options: {}, form: "i32" },
    { name: "i8 if one bit differs", options: { wrongFrom: 1 }, form: "i8" },
    // The optimised code of an engine can be wrong, too.
    { name: "i8 if one bit differs later", options: { wrongFrom: 6 }, form: "i8" },
    { name: "i8 if the caller wants it", options: { wanted: "i8" }, form: "i8" },
    { name: "i32 for other wanted forms", options: { wanted: "i16" }, form: "i32" },
    { name: "i8 in the build without relaxed instructions", options: { build: "simd128" }, form: "i8" },
    { name: "none, so i8, for a cache of halves", options: { cacheType: "f16" }, form: "i8" },
  ] as const)("is $name", async ({ form, options }) => {
    expect(await chosenForm(options)).toEqual({ form, usedBytes: 0 });
  });
});
