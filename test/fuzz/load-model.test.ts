import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openGguf } from "#dist/files/gguf.js";
import { BitNetError, loadModel } from "#dist/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { starterPath } from "../support/golden-path.js";

const good = readFileSync(starterPath);
const file = await openGguf(bytesSource(good));
/** Damage to the header reaches the most code. */
const headerBytes = Math.min(...[...file.tensors.values()].map(({ offset }) => offset));

/** Loads a model and generates a little. The only valid outcomes are text and a BitNetError. */
async function outcome(bytes: Uint8Array): Promise<string> {
  try {
    const model = await loadModel(bytes, { threads: 1 });
    try {
      await model.complete("Once", { maxTokens: 3, temperature: 0 });
      return "text";
    } finally {
      await model.dispose();
    }
  } catch (error) {
    if (error instanceof BitNetError) return error.code;
    throw error;
  }
}

const place = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: headerBytes }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: good.length - 1 }) },
  // The last part of the header, which describes tensors.
  { weight: 3, arbitrary: fc.integer({ min: headerBytes - 5000, max: headerBytes }) },
);

describe("loadModel", () => {
  it(
    "answers any damage with text or with a coded error, and never hangs",
    { timeout: 120_000 },
    async () => {
      const outcomes = new Map<string, number>();
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(place, fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
          fc.oneof(
            { weight: 7, arbitrary: fc.constant(good.length) },
            { weight: 1, arbitrary: fc.nat(good.length) },
          ),
          async (damages, cut) => {
            const bytes = new Uint8Array(good.subarray(0, cut));
            for (const [at, value] of damages) if (at < bytes.length) bytes[at] = value;
            const result = await outcome(bytes);
            outcomes.set(result, (outcomes.get(result) ?? 0) + 1);
          },
        ),
        { numRuns: 250, seed: 20_261_122 },
      );
      console.log(`damaged models: ${[...outcomes].map(([code, count]) => `${code} ${count}`).join(", ")}`);
      // Both outcomes must occur. Otherwise the test covers too little.
      expect(outcomes.get("FILE_CORRUPT") ?? 0).toBeGreaterThan(0);
      expect(outcomes.get("text") ?? 0).toBeGreaterThan(0);
    },
  );
});
