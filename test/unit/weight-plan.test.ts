import { describe, expect, it } from "vitest";
import { describeModel, type ModelDescription } from "#dist/architectures/index.js";
import { openModelFile } from "#dist/files/index.js";
import { loadModel } from "#dist/index.js";
import { estimateMemory } from "#dist/engine/memory-estimate.js";
import { planWeights, type WeightPlan } from "#dist/model/weight-plan.js";
import { projectionsOf } from "#dist/model/model.js";
import { packedBytes } from "#dist/packing/pack.js";
import { groupScaleBytes } from "#dist/packing/ternary-blocks.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { createConvertWorkbench } from "../support/convert-workbench.js";
import { starterPath } from "../support/golden-path.js";

const { converted } = createConvertWorkbench();

async function planOf(
  bytes: Uint8Array,
): Promise<{ plan: WeightPlan; estimate: number; description: ModelDescription }> {
  const file = await openModelFile(bytesSource(bytes));
  const description = describeModel(file);
  const bytesOf = (role: Parameters<typeof packedBytes>[1]): number => packedBytes(file, role, "fast");
  const plan = planWeights(file, description, { head: "auto", sparsity: "auto", goal: "fast" });
  const { weights } = estimateMemory(file, description, {
    cacheType: "f16",
    contextLength: 64,
    threads: 1,
    goal: "fast",
    bytesOf,
  });
  return { plan, estimate: weights, description };
}

describe("planWeights", () => {
  it.each(["i2_s", "tq1_0", "tq2_0", "q2_0"])(
    "counts a copy by columns as its codes only: %s",
    async (type) => {
      const { bytes } = await converted(starterPath, { type });
      const { plan, estimate, description } = await planOf(bytes);
      const codes = description.layers.map(({ down: { matrix } }) => (matrix.rows * matrix.cols) / 4);
      expect(plan.columnBytes).toEqual(codes);

      // The model takes the planned bytes, except for groups' scales: here each matrix has one scale.
      await using model = await loadModel(bytes, { threads: 1, contextLength: 64 });
      const groupSize = type === "q2_0" ? 64 : 128;
      const scales = description.layers
        .flatMap((layer) => projectionsOf(layer))
        .reduce((sum, { matrix: { rows, cols } }) => sum + rows * groupScaleBytes(cols, groupSize), 0);
      const expected = estimate - (type === "i2_s" ? 0 : scales);
      expect(model.info.memoryBytes.weights).toBeGreaterThanOrEqual(expected);
      expect(model.info.memoryBytes.weights).toBeLessThan(expected * 1.02);
    },
  );
});
