import { describe, expect, it } from "vitest";
import { startEngine } from "#dist/engine/engine.js";
import { openModelFile } from "#dist/files/index.js";
import { openFileSource } from "#dist/platform/node.js";
import { starterPath } from "../support/golden-path.js";

describe("an engine with a screened head", () => {
  it("gives the model with its head after the head was read whole", async () => {
    const file = await openModelFile(await openFileSource(starterPath));
    const engine = await startEngine(file, {
      threads: 1,
      contextLength: 16,
      freeBytes: 1 << 30,
      onBytes: () => undefined,
      signal: undefined,
      head: "screened",
    });
    try {
      expect(engine.model.screen).toBeDefined();
      expect(engine.model.head).toBeUndefined();
      using session = engine.openSession(16);
      await session.evaluate([1, 2], { logits: "all" });
      const { vocabSize, width } = engine.model.sizes;
      expect(engine.model.head).toMatchObject({ rows: vocabSize, cols: width });
      expect(engine.model.embedding).toBe(engine.model.head);
    } finally {
      await engine.dispose();
      await file.source.close();
    }
  });
});
