import { describe, expect, it } from "vitest";
import { describeModel } from "#dist/architectures/index.js";
import { checkpointFamilies } from "#dist/checkpoints/families/index.js";
import { openCheckpoint } from "#dist/checkpoints/open-checkpoint.js";
import { openGguf } from "#dist/files/gguf.js";
import type { ModelFile, TensorInfo } from "#dist/files/model-file.js";
import { bytesSource, memoryFolder } from "#dist/platform/memory-source.js";
import { exportCheckpoint, type Storage, withStoredScales } from "../support/checkpoint-export.js";
import { makeTinyModel } from "../support/tiny-model.js";
import { architectureCases } from "./architecture-cases.js";

// Checkpoints of every architecture. architectures.test.ts compares the GGUF files of these random models
// with a slow reference. Here the models are written as checkpoints and opened again. Equal tensors and an
// equal description make an equal model.

/** Cases that no checkpoint expresses. */
const inexpressible = new Set([
  "llama, a head of its own and divisors of frequencies",
  "llama, biases, linear scaling, a part of each head turning",
  "qwen3, YaRN with all its keys",
  "qwen2, heads of 20 of which 8 turn",
  // Only BitLinear has such norms, and its floats are masters.
  "qwen3, a norm before each projection, stored as halves",
]);
const cases = architectureCases.filter(({ name }) => !inexpressible.has(name));
const storage: Storage = { kind: "divide", dtype: "F32" };

/** The values of a tensor in any format. */
async function valuesOf({ source, offset, bytes, shape, format }: TensorInfo): Promise<readonly number[]> {
  const elements = shape.reduce((product, size) => product * size, 1);
  return [...(format?.decode(await source.read(offset, bytes), elements) ?? [])];
}

/**
 * A description whose numbers are rounded. Python's printing and another order of operations change the last
 * digits.
 */
function essence(file: ModelFile): unknown {
  // The files that we read do not contain the pooling of embeddings.
  return JSON.parse(
    JSON.stringify({ ...describeModel(file), pooling: undefined }, (_, value: unknown) =>
      typeof value === "number" ? Number(value.toPrecision(6)) : value,
    ),
  );
}

describe("checkpoints of every family", () => {
  it("are tested for every family, and only these cases cannot be checkpoints", () => {
    const tested = new Set(cases.map(({ metadata }) => metadata.get("general.architecture")));
    expect(tested).toEqual(new Set(checkpointFamilies.map(({ architecture }) => architecture)));
    expect(architectureCases.length - cases.length).toBe(inexpressible.size);
  });

  it.each(cases)("$name", async ({ metadata, tensors, formats }) => {
    const made = await makeTinyModel(metadata, tensors, formats, 7);
    const gguf = await withStoredScales(made.bytes, storage);
    const expected = await openGguf(bytesSource(gguf));
    const actual = await openCheckpoint(memoryFolder(await exportCheckpoint(gguf, { storage })));
    expect([...actual.tensors.keys()].sort()).toEqual([...expected.tensors.keys()].sort());
    expect(essence(actual)).toEqual(essence(expected));
    for (const [name, tensor] of expected.tensors) {
      const other = actual.tensors.get(name) ?? expect.fail(name);
      expect(await valuesOf(other), name).toEqual(await valuesOf(tensor));
    }
  });
});
