import { beforeAll, describe, expect, it } from "vitest";
import { openModelFile } from "#dist/files/index.js";
import { loadModel } from "#dist/index.js";
import { startEngine } from "#dist/engine/engine.js";
import { matricesOf } from "#dist/model/model.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { recordFigure } from "../support/figures.js";
import { starterPath } from "../support/golden-path.js";
import { formatOf, type ReformattedModel, reformatModel } from "../support/reformatted-model.js";

// The same model twice: its matrices in a block format, and their decoded values as F32. F32 matrices use
// float matmuls. The results differ by the int8 rounding of activations. It costs less than a hundredth of
// each result's size. After six layers it costs some hundredths of the logits' deviation.

/** Root mean square of the difference, relative to the logits' standard deviation. */
const activationNoise = 0.03;

const formats: readonly { readonly name: string; readonly layout: string }[] = [
  { name: "TQ1_0", layout: "ternary-groups-128" },
  { name: "TQ2_0", layout: "ternary-groups-128" },
  { name: "Q1_0", layout: "ternary-groups-128" },
  { name: "Q2_0", layout: "ternary-groups-64" },
  { name: "Q2_0_G128", layout: "ternary-groups-128" },
  { name: "Q4_0", layout: "affine-4-32" },
  { name: "Q5_0", layout: "affine-6-32" },
  { name: "Q8_0", layout: "affine-8-32" },
  { name: "Q4_K", layout: "affine-4-32-min" },
  { name: "Q6_K", layout: "affine-6-16" },
];

describe.each(formats)("a model in $name, embedding and head included", ({ name, layout }) => {
  let models: ReformattedModel;
  beforeAll(async () => {
    models = await reformatModel(starterPath, () => formatOf(name));
    // Q4_K's quantizer is slow.
  }, 240_000);

  it("has the logits of the same numbers in F32, but for rounded activations", async () => {
    const ratio = await differenceFromF32(models);
    recordFigure(`${name}, rms difference from F32 / standard deviation`, ratio);
    expect(ratio).toBeLessThan(activationNoise);
    // If both used float matmuls, the difference would be zero.
    expect(ratio).toBeGreaterThan(1e-5);
  });

  it(`is kept as ${layout}`, async () => {
    const file = await openModelFile(bytesSource(models.model));
    const engine = await startEngine(file, {
      threads: 1,
      contextLength: undefined,
      freeBytes: 1 << 30,
      onBytes: () => undefined,
      signal: undefined,
    });
    try {
      const layouts = matricesOf(engine.model).map((matrix) => matrix.layout);
      expect(layouts).toHaveLength(6 * 7 + 1);
      expect(new Set(layouts)).toEqual(new Set([layout]));
      expect(engine.model.embedding?.layout).toBe(layout);
    } finally {
      await engine.dispose();
    }
  });
});

describe("ternary layers with an embedding and a head in another format", () => {
  it.each(["Q6_K", "Q8_0"])(
    "%s has the logits of the same numbers in F32, but for rounded activations",
    async (name) => {
      const models = await reformatModel(starterPath, (tensor) =>
        tensor === "token_embd.weight" ? formatOf(name) : undefined,
      );
      const ratio = await differenceFromF32(models);
      recordFigure(`a head in ${name}, rms difference from F32 / standard deviation`, ratio);
      // Only the head's input is rounded differently.
      expect(ratio).toBeLessThan(activationNoise / 2);
      expect(ratio).toBeGreaterThan(1e-5);
    },
  );
});

/** Root mean square of the difference of all logits, relative to their standard deviation. */
async function differenceFromF32({ model, inF32 }: ReformattedModel): Promise<number> {
  const ids = Array.from({ length: 40 }, (_, i) => (i * 997 + 31) % 4000);
  const [ours, floats] = await Promise.all([model, inF32].map((bytes) => logitsOf(bytes, ids)));
  if (ours === undefined || floats === undefined) throw new Error("no logits");
  const mean = floats.reduce((sum, value) => sum + value, 0) / floats.length;
  const variance = floats.reduce((sum, value) => sum + (value - mean) ** 2, 0) / floats.length;
  const square = ours.reduce((sum, value, i) => sum + (value - (floats[i] ?? NaN)) ** 2, 0) / ours.length;
  return Math.sqrt(square / variance);
}

async function logitsOf(bytes: Uint8Array, ids: readonly number[]): Promise<Float32Array> {
  await using model = await loadModel(bytes, { threads: 2 });
  using session = model.createSession({ contextLength: ids.length });
  return await session.evaluate(ids, { logits: "all" });
}
