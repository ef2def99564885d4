import { beforeAll, describe, expect, it } from "vitest";
import { type Build, type BuildName, buildNames, compileBuilds, formWorks } from "./builds.js";
import type { Outcome } from "./kernel-case.js";
import { kernelTwins } from "./kernel-twins.js";
import { createStage, requireEqual, type Stage } from "./stage.js";

/**
 * Compares every kernel in every build with its twin. The result must equal the twin's result. Every division
 * of the work and every location of the operands must give the same bytes. A kernel must not read past an
 * operand (the end of memory would trap) or change another byte.
 *
 * @param tier the engine's compiler, for the names of the tests.
 */
export function defineKernelTests(tier: string): void {
  const stages = new Map<BuildName, Stage>();
  beforeAll(async () => {
    for (const build of await compileBuilds()) stages.set(build.name, createStage(build));
  });

  describe.each(Object.entries(kernelTwins))(`%s (${tier})`, (kernel, twin) => {
    // The outcome of each case in the first build, for comparison with the other builds.
    const firstOutcomes = new Map<string, Outcome>();

    it.for(twin.onlyInRelaxed === true ? (["relaxed"] as const) : buildNames)(
      "gives its twin's result in the %s build, and the same bytes as other builds",
      (name, { skip }) => {
        const stage = stages.get(name);
        if (stage === undefined) return skip(`this runtime does not accept the ${name} build`);
        if (refused(stage.build, kernel))
          return skip("this engine computes it wrongly, and the library's self-test refuses it");
        let count = 0;
        for (const kernelCase of twin.cases()) {
          try {
            const outcome = stage.perform(kernelCase);
            kernelCase.check(outcome);
            const first = firstOutcomes.get(kernelCase.name);
            if (first === undefined) firstOutcomes.set(kernelCase.name, outcome);
            else requireEqual(kernelCase, first, outcome, "another build");
          } catch (cause) {
            throw new Error(
              `${kernel}, ${kernelCase.name}: ${cause instanceof Error ? cause.message : String(cause)}`,
              { cause },
            );
          }
          count += 1;
        }
        expect(count).toBeGreaterThan(0);
        expect(count).toBe(firstOutcomes.size); // The names of cases are unique.
      },
    );

    if (twin.onlyInRelaxed !== true) return;
    it.each(["debug", "simd128"] as const)("traps in the %s build", (name) => {
      const stage = stages.get(name);
      const [kernelCase] = twin.cases();
      if (stage === undefined || kernelCase === undefined) throw new Error(`no ${name} build or no case`);
      expect(() => stage.perform(kernelCase)).toThrow("unreachable");
    });
  });
}

function refused(build: Build, kernel: string): boolean {
  const form = (["i16", "i32"] as const).find(
    (name) =>
      /^(matmul_(ternary|base3|affine|i8)|attention_int8)/.test(kernel) && kernel.endsWith(`_dot_${name}`),
  );
  return form !== undefined && !formWorks(build, form);
}
