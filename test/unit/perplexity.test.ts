import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type LanguageModel,
  loadModel,
  type LoadOptions,
  perplexity,
  type PerplexityOptions,
  type PerplexityResult,
} from "#dist/index.js";
import { softmaxTotals } from "#dist/generation/sampling/log-softmax.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { starterPath } from "../support/golden-path.js";
import { slowLogProbabilities } from "../reference/log-likelihood.js";
import { rewriteModel } from "../support/rewritten-model.js";

const text = "Once upon a time there was a king, who had a daughter as fair as the day. ".repeat(30);

/** The definition, chunk by chunk and token by token. */
async function slowPerplexity(
  model: LanguageModel,
  chunkTokens: number,
  chunks: number,
  bosId: number | undefined,
): Promise<{ readonly perplexity: number; readonly uncertainty: number; readonly tokens: number }> {
  const ids = model.tokenize(text);
  using session = model.createSession();
  const values: number[] = [];
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const window = ids.slice(chunk * chunkTokens, (chunk + 1) * chunkTokens);
    if (bosId !== undefined) window[0] = bosId;
    const logProbabilities = await slowLogProbabilities(session, window);
    // Row j predicts token j + 1. The scored rows are chunkTokens / 2 … chunkTokens − 2.
    for (let row = Math.floor(chunkTokens / 2); row <= chunkTokens - 2; row += 1) {
      values.push(-(logProbabilities[row] ?? NaN));
    }
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + value * value, 0) / values.length;
  const deviation = Math.sqrt((squares - mean * mean) / (values.length - 1));
  return {
    perplexity: Math.exp(mean),
    uncertainty: Math.exp(mean) * deviation,
    tokens: values.length,
  };
}

function code(value: string) {
  return expect.objectContaining({ name: "BitNetError", code: value });
}

describe("perplexity", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(starterPath, { threads: 2 });
  });
  afterAll(() => model.dispose());

  it("scores control tokens that the text spells if parseSpecial asks for it", async () => {
    const stories = "<|end_of_text|>Once upon a time there was a king.".repeat(6);
    const plain = await perplexity(model, stories, { contextLength: 16 });
    const special = await perplexity(model, stories, { contextLength: 16, parseSpecial: true });
    const ids = model.tokenize(stories, { parseSpecial: true });
    expect(ids.length).toBeLessThan(model.tokenize(stories).length);
    expect(special.chunks).toBe(Math.floor(ids.length / 16));
    expect(special.chunks).toBeLessThan(plain.chunks);
  });

  it.each([
    [128, undefined],
    [64, 3],
    [33, 4],
    [3, 5],
  ])("is e to the mean of −ln p over second halves, in chunks of %i", async (contextLength, chunks) => {
    const [bosId] = model.tokenize("");
    const count = Math.floor(model.tokenize(text).length / contextLength);
    const result = await perplexity(model, text, { contextLength, chunks });
    const expected = await slowPerplexity(model, contextLength, Math.min(count, chunks ?? count), bosId);
    expect(result.tokens).toBe(expected.tokens);
    expect(result.chunks).toBe(Math.min(count, chunks ?? count));
    expect(result.perplexity / expected.perplexity).toBeCloseTo(1, 10);
    expect((result.uncertainty ?? NaN) / expected.uncertainty).toBeCloseTo(1, 8);
    expect(result.negativeLogLikelihood).toBeCloseTo(Math.log(expected.perplexity) * expected.tokens, 6);
  });

  it("begins no chunk but the first with a token that the model did not ask for", async () => {
    const bytes = await rewriteModel(starterPath, ({ metadata }) =>
      metadata.set("tokenizer.ggml.add_bos_token", { type: "bool", value: false }),
    );
    await using without = await loadModel(bytes, { threads: 1 });
    expect(without.tokenize("")).toEqual([]);
    const result = await perplexity(without, text, { contextLength: 64, chunks: 2 });
    const expected = await slowPerplexity(without, 64, 2, undefined);
    expect(result.perplexity / expected.perplexity).toBeCloseTo(1, 10);
    const usual = await perplexity(model, text, { contextLength: 64, chunks: 2 });
    expect(result.perplexity).not.toBe(usual.perplexity);
  });

  it("does not add EOS, even if the tokenizer does", async () => {
    const bytes = await rewriteModel(starterPath, ({ metadata }) =>
      metadata.set("tokenizer.ggml.add_eos_token", { type: "bool", value: true }),
    );
    await using ending = await loadModel(bytes, { threads: 1 });
    const options = { contextLength: 64 } as const;
    expect(await perplexity(ending, text, options)).toEqual(await perplexity(model, text, options));
  });

  it("with a stride scores that many tokens of each of overlapping chunks", async () => {
    const ids = model.tokenize(text);
    const [contextLength, stride, chunks] = [48, 20, 3];
    const chunkTokens = contextLength + stride / 2;
    using session = model.createSession();
    let sum = 0;
    for (let chunk = 0; chunk < chunks; chunk += 1) {
      const window = ids.slice(chunk * stride, chunk * stride + chunkTokens);
      const values = await slowLogProbabilities(session, window);
      for (const value of values.slice(-stride)) sum -= value;
    }
    const result = await perplexity(model, text, { contextLength, stride, chunks });
    expect(result).toMatchObject({ tokens: stride * chunks, chunks, chunkTokens });
    expect(result.negativeLogLikelihood).toBeCloseTo(sum, 6);
    const whole = await perplexity(model, text, { contextLength, stride });
    expect(whole.chunks).toBe(Math.ceil((ids.length - chunkTokens) / stride));
  });

  it.each<[number, LoadOptions]>([
    [100, { threads: 1 }],
    [100, { threads: 3, engine: { kernelBuild: "simd128", dotForm: "i8" } }],
    [100, { threads: 2, engine: { head: "screened" } }],
    [12, { threads: 3, engine: { regionBytes: 3 << 20 } }],
  ])("has the same bits in chunks of %i with %j", async (contextLength, load) => {
    const options: PerplexityOptions = { contextLength, chunks: 2 };
    await using other = await loadModel(starterPath, load);
    expect(await perplexity(other, text, options)).toEqual(await perplexity(model, text, options));
  });

  it("reports the result so far after every chunk", async () => {
    const seen: [PerplexityResult, number][] = [];
    const options: PerplexityOptions = { contextLength: 64, chunks: 3 };
    const result = await perplexity(model, text, {
      ...options,
      onProgress: (soFar, total) => seen.push([soFar, total]),
    });
    expect(seen.map(([{ chunks }, total]) => [chunks, total])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
    expect(seen.at(-1)?.[0]).toEqual(result);
    expect(seen[0]?.[0]).toEqual(await perplexity(model, text, { ...options, chunks: 1 }));
  });

  it("rejects with the signal's reason, and at once", async () => {
    const reason = new Error("enough");
    await expect(perplexity(model, text, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    let chunks = 0;
    const running = perplexity(model, text, {
      contextLength: 32,
      signal: controller.signal,
      onProgress: () => {
        chunks += 1;
        if (chunks === 2) controller.abort(reason);
      },
    });
    await expect(running).rejects.toBe(reason);
    expect(chunks).toBe(2);
  });

  it("uses chunks of the model's context if it is shorter than 512", async () => {
    expect(await perplexity(model, text, { chunks: 1 })).toMatchObject({ chunkTokens: 256, tokens: 127 });
  });

  it("refuses a text of fewer than two chunks, with its length", async () => {
    const tokens = model.tokenize("Once upon a time").length;
    await expect(perplexity(model, "Once upon a time", { contextLength: 64 })).rejects.toEqual(
      code("INVALID_ARGUMENT"),
    );
    await expect(perplexity(model, "Once upon a time", { contextLength: 64 })).rejects.toThrow(
      `the text has ${tokens} tokens, and chunks of 64 need at least 128`,
    );
    await expect(perplexity(model, "", { contextLength: 3 })).rejects.toEqual(code("INVALID_ARGUMENT"));
  });

  it.each<[PerplexityOptions, RegExp]>([
    [{ contextLength: 2 }, /Invalid contextLength: 2 \(expected a whole number from 3 to 256\)/],
    [{ contextLength: 257 }, /Invalid contextLength: 257/],
    [{ contextLength: NaN }, /Invalid contextLength: NaN/],
    [{ chunks: 0 }, /Invalid chunks: 0/],
    [{ stride: 0 }, /Invalid stride: 0/],
    [{ contextLength: 10, stride: 19 }, /Invalid stride: 19 \(expected a whole number from 1 to 18\)/],
    [{ contextLength: 250, stride: 20 }, /Invalid stride: 20 makes chunks of 260 tokens.*256/],
  ])("refuses %j", async (options, message) => {
    await expect(perplexity(model, text, options)).rejects.toEqual(code("INVALID_ARGUMENT"));
    await expect(perplexity(model, text, options)).rejects.toThrow(message);
  });

  it("reports logits that are not numbers", async () => {
    const bytes = await rewriteModel(starterPath, ({ tensors }) => {
      const norm = tensors.get("output_norm.weight");
      if (norm === undefined) throw new Error("no output norm");
      // Finite weights, and logits beyond float32.
      const weights = new Float32Array(norm.data.length / 4).fill(1e38);
      tensors.set("output_norm.weight", { ...norm, data: new Uint8Array(weights.buffer) });
    });
    await using broken = await loadModel(bytes, { threads: 1 });
    await expect(perplexity(broken, text, { contextLength: 16, chunks: 1 })).rejects.toEqual(
      code("MODEL_INVALID"),
    );
  });
});

describe("visitLogits", () => {
  it("shows the rows that evaluate copies, bit for bit, for any division of the ids", async () => {
    await using model = await loadModel(starterPath, { threads: 2 });
    const ids = model.tokenize(text).slice(0, 200);
    const { vocabSize, contextLength } = model.info;
    using session = internalsOf(model).engine.openSession(contextLength);
    const all = await session.evaluate(ids, { logits: "all" });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(100),
        fc.integer({ min: 1, max: 90 }),
        fc.nat(90),
        fc.integer({ min: 4000, max: 4096 }),
        async (held, count, not, cols) => {
          const rows = Math.max(0, count - not);
          session.truncate(0);
          if (held > 0) await session.evaluate(ids.slice(0, held));
          const seen: number[] = [];
          await session.visitLogits(
            ids.slice(held, held + count),
            { rows, cols },
            (logits, row, totals) => {
              seen.push(row);
              const begin = (held + count - rows + row) * vocabSize;
              expect(logits).toEqual(all.subarray(begin, begin + cols));
              // The team must sum the same totals as the caller's thread.
              expect(totals).toEqual(softmaxTotals(logits));
            },
            undefined,
          );
          expect(seen).toEqual([...Array(rows).keys()]);
          expect(session.position).toBe(held + count);
        },
      ),
      { numRuns: 25 },
    );
  });
});
