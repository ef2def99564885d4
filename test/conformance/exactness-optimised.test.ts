import * as v8 from "node:v8";
import { expect, it } from "vitest";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { starterPath } from "../support/golden-path.js";
import { loadOrSkip, plainest, promptIds, requireSameBits, requireSamePieces } from "./exactness.js";

// Node 20's baseline compiler computes the 32-bit relaxed dot product wrongly, so exactness.test.ts skips it
// there. The optimising compiler alone computes it correctly. The flag must be set before the first module is
// compiled. Each test file has its own process.
if (process.versions.v8 !== undefined) v8.setFlagsFromString("--no-liftoff");

it.for([1, 2, 3])(
  "optimised code of the i32 form has the same bits as the plainest, %i threads",
  async (threads, context) => {
    await using reference: LanguageModel = await loadModel(starterPath, plainest);
    const ids = promptIds(reference);
    using session = reference.createSession();
    const logits = await session.evaluate(ids, { logits: "all" });

    const optimised = { threads, engine: { kernelBuild: "relaxed", dotForm: "i32" } } as const;
    await using model = await loadOrSkip(starterPath, optimised, context);
    using atOnce = model.createSession();
    requireSameBits(await atOnce.evaluate(ids, { logits: "all" }), logits, "all at once");
    await requireSamePieces(model, ids, logits, [1]);
    await requireSamePieces(model, ids, logits, [3, 1, 7, 5, 64, 2]);
    expect(model.info.kernelBuild).toMatch(/^relaxed\/i32(\/256)?$/);
  },
);
