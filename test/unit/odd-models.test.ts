import { describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { f16 } from "#dist/weight-formats/f16.js";
import { f32 } from "#dist/weight-formats/f32.js";
import { starterPath } from "../support/golden-path.js";
import { type Edit, encodeTensor, rewriteModel } from "../support/rewritten-model.js";

/** The storyteller's tokenizer without its last tokens. The embedding keeps its rows. */
function shortenVocabulary({ metadata }: Edit, count: number): void {
  for (const table of ["tokens", "scores", "token_type"]) {
    const key = `tokenizer.ggml.${table}`;
    const entry = metadata.get(key);
    if (entry === undefined || typeof entry.value !== "object") throw new Error(`no ${key}`);
    metadata.set(key, { ...entry, value: entry.value.slice(0, count) });
  }
}

describe("a model that is unusual and usable", () => {
  it("never writes a token that its tokenizer does not have, where the head has more rows", async () => {
    const bytes = await rewriteModel(starterPath, (parts) => shortenVocabulary(parts, 4095));
    await using model = await loadModel(bytes, { threads: 1 });
    const options = { maxTokens: 4, temperature: 0 } as const;
    await using whole = await loadModel(starterPath, { threads: 1 });
    const expected = await whole.complete("Once upon", options);
    expect(await model.complete("Once upon", options)).toBe(expected);
    // All tokens are forbidden but one, which is unlikely. The row past the vocabulary has a usual logit.
    const last = 4094;
    const logitBias = new Map(Array.from({ length: last }, (_, id): [number, number] => [id, -Infinity])).set(
      last,
      -1000,
    );
    for await (const { tokenId } of model.generate("Once upon", { ...options, logitBias }))
      expect(tokenId).toBe(last);
    const past = model.complete("Once upon", { ...options, logitBias: { [last + 1]: 1000 } });
    await expect(past).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("continues a prompt and does not begin anew, where the tokenizer ends texts with EOS", async () => {
    const bytes = await rewriteModel(starterPath, ({ metadata }) =>
      metadata.set("tokenizer.ggml.add_eos_token", { type: "bool", value: true }),
    );
    await using model = await loadModel(bytes, { threads: 1 });
    await using usual = await loadModel(starterPath, { threads: 1 });
    expect(model.tokenize("Once upon")).toHaveLength(usual.tokenize("Once upon").length + 1);
    const options = { maxTokens: 4, temperature: 0 } as const;
    expect(await model.complete("Once upon", options)).toBe(await usual.complete("Once upon", options));
  });

  it("computes the same with halves of 128 and above as with floats, and counts them once", async () => {
    const logits = [];
    for (const format of [f16, f32]) {
      const bytes = await rewriteModel(starterPath, ({ tensors }) => {
        const embedding = tensors.get("token_embd.weight");
        if (embedding === undefined) throw new Error("no embedding");
        const values = f16.decode(embedding.data, 4096 * 256);
        values[4095 * 256 + 7] = 200;
        values[12345] = -65504;
        values[5] = 2 ** -24;
        tensors.set("token_embd.weight", encodeTensor(format, embedding.shape, values));
      });
      const seen: number[] = [];
      await using model = await loadModel(bytes, {
        threads: 2,
        onProgress: ({ loadedBytes }) => seen.push(loadedBytes),
      });
      expect(seen).toEqual(seen.toSorted((a, b) => a - b));
      using session = model.createSession({ contextLength: 16 });
      logits.push(await session.evaluate(model.tokenize("Once upon a time")));
    }
    expect(logits[0]).toEqual(logits[1]);
  });

  it("stops loading at once when aborted while tables for a long context are made", async () => {
    const bytes = await rewriteModel(starterPath, ({ metadata }) =>
      metadata.set("bitnet-b1.58.context_length", { type: "uint32", value: 1 << 22 }),
    );
    const controller = new AbortController();
    const reason = new Error("changed my mind");
    const loading = loadModel(bytes, {
      threads: 1,
      signal: controller.signal,
      onProgress: ({ loadedBytes, totalBytes }) => {
        // The weights are loaded, and the tables come next.
        if (loadedBytes === totalBytes) setImmediate(() => setImmediate(() => controller.abort(reason)));
      },
    });
    await expect(loading).rejects.toBe(reason);
  }, 10_000);
});
