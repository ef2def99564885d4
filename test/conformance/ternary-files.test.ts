import { describe, expect, it } from "vitest";
import { openModelFile, type ModelFile, type TensorInfo } from "#dist/files/index.js";
import { openFileSource } from "#dist/platform/node.js";
import { goldenAvailable, goldenMissing, goldenPath } from "../support/golden-path.js";

const models = ["tiny-bitnet", "tiny-llama"];
const types = ["tq1_0", "tq2_0"];

describe.skipIf(!goldenAvailable)(`files that llama.cpp wrote (${goldenMissing} where skipped)`, () => {
  it.each(models.flatMap((model) => types.map((type) => [model, type] as const)))(
    "%s in %s decodes to the weights of its I2_S twin, and encodes to the same bytes",
    async (model, type) => {
      await withFile(`${model}-i2_s`, (twin) =>
        withFile(`${model}-${type}`, async (file) => {
          const ternary = Array.from(file.tensors.values()).filter((tensor) => tensor.format?.ternary);
          expect(ternary.length).toBeGreaterThan(10);
          for (const tensor of ternary) {
            expect(tensor.type.toLowerCase()).toBe(type);
            const { bytes, values } = await readWeights(tensor);
            expect(Buffer.compare(tensor.format?.encode?.(values) ?? new Uint8Array(), bytes)).toBe(0);

            const expected = await readWeights(twin.tensors.get(tensor.name));
            const different = values.findIndex((value, index) => {
              const other = expected.values[index] as number;
              // Scales were rounded to halves.
              return (
                Math.sign(value) !== Math.sign(other) || Math.abs(value - other) > Math.abs(other) * 2 ** -11
              );
            });
            expect(different, tensor.name).toBe(-1);
          }
        }),
      );
    },
  );
});

async function withFile(model: string, use: (file: ModelFile) => Promise<void>): Promise<void> {
  const source = await openFileSource(goldenPath(`${model}/model.gguf`));
  try {
    await use(await openModelFile(source));
  } finally {
    await source.close();
  }
}

async function readWeights(
  tensor: TensorInfo | undefined,
): Promise<{ readonly bytes: Uint8Array; readonly values: Float32Array }> {
  if (tensor?.format === undefined) throw new Error("no such tensor, or of unknown type");
  const bytes = new Uint8Array(await tensor.source.read(tensor.offset, tensor.bytes));
  const elements = tensor.shape.reduce((product, size) => product * size, 1);
  return { bytes, values: tensor.format.decode(bytes, elements) };
}
