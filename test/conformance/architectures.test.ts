import { describe, expect, it } from "vitest";
import { loadModel, type LoadOptions } from "#dist/index.js";
import { recordFigure } from "../support/figures.js";
import { type ReferenceDecoder, referenceLogits } from "../reference/decoder.js";
import { makeTinyModel } from "../support/tiny-model.js";
import { type ArchitectureCase, architectureCases } from "./architecture-cases.js";
import { relativeDifference } from "./differences.js";

/** Long enough for windows and for a visible effect of rotary embedding. */
const ids: readonly number[] = Array.from({ length: 12 }, (_, i) => (i * 89 + 7) % 256);

/**
 * Root mean square of the difference, relative to the logits' standard deviation. Floats: f32 arithmetic of
 * two layers, and keys and values that round to another half. Ternary: a different int8 rounding is a step of
 * 1/127 of the row's maximum, and its effects spread (docs/NUMERICS.md).
 */
const bounds = { floats: 5e-4, ternary: 0.01 };

async function compute(
  { metadata, tensors, formats, meaning }: ArchitectureCase,
  options: LoadOptions = {},
): Promise<{ readonly logits: Float32Array; readonly reference: ReferenceDecoder }> {
  const made = await makeTinyModel(metadata, tensors, formats, 11);
  await using model = await loadModel(made.bytes, { threads: 1, ...options });
  using session = model.createSession();
  return { logits: await session.evaluate(ids, { logits: "all" }), reference: meaning(made.tensors) };
}

describe.each(architectureCases)("$name", (architectureCase) => {
  const { name, formats, without } = architectureCase;
  const bound = formats.matrices === "I2_S" ? bounds.ternary : bounds.floats;

  it("equals the reference, and every trait has an effect", async () => {
    const { logits, reference } = await compute(architectureCase);
    const error = relativeDifference(logits, referenceLogits(reference, ids));
    recordFigure(`${name}, error`, error);
    expect(error).toBeLessThan(bound);
    for (const [trait, change] of Object.entries(without)) {
      const wrong = relativeDifference(logits, referenceLogits(change(reference), ids));
      recordFigure(`${name}, without ${trait}`, wrong);
      expect(wrong, `without ${trait}`).toBeGreaterThan(bound);
    }
  });
});

describe("LongRoPE", () => {
  it("has the short contexts' factors where a short context is asked for", async () => {
    const long = architectureCases.find(({ name }) => name.includes("factors for long contexts"));
    const shorten = long?.without["factors for long contexts"];
    if (long === undefined || shorten === undefined) throw new Error("the case is gone");
    // 32 is the model's context length before scaling.
    for (const [contextLength, isShort] of [
      [32, true],
      [33, false],
    ] as const) {
      const { logits, reference } = await compute(long, { contextLength });
      const expected = isShort ? shorten(reference) : reference;
      expect(
        relativeDifference(logits, referenceLogits(expected, ids)),
        `a context of ${contextLength}`,
      ).toBeLessThan(bounds.floats);
    }
  });
});
