import { beforeAll, describe, expect, it } from "vitest";
import { chooseForm } from "#dist/wasm/choose-matmul.js";
import { createGroupsTrial } from "#dist/wasm/groups-self-test.js";
import { type CompiledKernels, compileKernels, instantiateKernels } from "#dist/wasm/kernel-build.js";
import type { Kernels, TernaryForm } from "#dist/wasm/kernels.js";
import { createMemories } from "#dist/wasm/memory.js";
import { allTrials, createProductTrial, type FormTrials } from "#dist/wasm/matmul-self-test.js";

type ProductName = Extract<keyof Kernels, `matmul_ternary_${string}`>;

/** Which argument of a product says where its output goes. */
const outputArgument = 8;

let compiled: CompiledKernels;
beforeAll(async () => {
  compiled = await compileKernels();
});

/** Runs with kernels of which some products give 2 in place of what they should, and a trial of all products. */
function withBroken<T>(
  broken: readonly ProductName[],
  use: (kernels: Kernels, trial: FormTrials) => T,
): { readonly result: T; readonly usedBytes: number } {
  const memories = createMemories(8 << 20);
  const { memory } = memories.addRegion();
  const kernels = { ...instantiateKernels(compiled.module, memory) };
  for (const name of broken) {
    const multiply: (...args: number[]) => void = kernels[name];
    Object.assign(kernels, {
      [name]: (...args: number[]) => {
        multiply(...args);
        new Float32Array(memory.buffer, args[outputArgument], 1)[0] = 2;
      },
    });
  }
  const trial = allTrials([
    createProductTrial(memories),
    createGroupsTrial(memories, 64),
    createGroupsTrial(memories, 128),
  ]);
  const result = use(kernels, trial);
  trial.free();
  return { result, usedBytes: memories.regions[0]?.usedBytes ?? NaN };
}

const products = ["matmul_ternary_i8", "matmul_ternary_groups64_i8", "matmul_ternary_groups128_i8"] as const;

describe.each(products)("the self-test of %s", (product) => {
  it("refuses every form that computes wrong sums", () => {
    const forms = ["narrow", "wide"] as const;
    const choose = (kernels: Kernels, trial: FormTrials): TernaryForm =>
      chooseForm(compiled.build, kernels, trial).form;
    expect(
      withBroken(
        forms.map((form) => `${product}_${form}` as const),
        choose,
      ).result,
    ).toBe("plain");
  });

  it("fails where no form is right, and gives its memory back", () => {
    const choose = (kernels: Kernels, trial: FormTrials): unknown => {
      try {
        return chooseForm(compiled.build, kernels, trial, "plain");
      } catch (error) {
        return error;
      }
    };
    expect(withBroken([`${product}_plain`], choose)).toMatchObject({
      result: { code: "SELF_TEST_FAILED" },
      usedBytes: 0,
    });
  });

  it("takes what is right", () => {
    const correct = (kernels: Kernels, trial: FormTrials): boolean => trial.correct(kernels, "plain");
    expect(withBroken([], correct)).toEqual({ result: true, usedBytes: 0 });
  });
});
