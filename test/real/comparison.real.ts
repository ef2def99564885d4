import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LanguageModel, loadModel, perplexity } from "#dist/index.js";
import { perplexityText, perplexityWindow, sentences, texts } from "./inputs.js";
import { computeReference, type Reference } from "./llama-cpp.js";
import { realSettings, recordRow } from "./settings.js";

const { models, llamaCppUrl } = realSettings();

/** Above this distance of two logits, rounding of activations does not change the larger one. */
const clearGap = 0.5;

function largest(logits: Float32Array): number {
  let best = 0;
  for (const [id, value] of logits.entries()) if (value > (logits[best] ?? -Infinity)) best = id;
  return best;
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / Math.sqrt(aa * bb);
}

describe.each(models)("$name", ({ id, name, path }) => {
  let reference: Reference | undefined;
  let model: LanguageModel;
  beforeAll(async () => {
    if (llamaCppUrl !== undefined) reference = await computeReference(llamaCppUrl, { id, name, path });
    model = await loadModel(path, { threads: 1, contextLength: 1024 });
  });
  afterAll(() => model.dispose());

  it.runIf(llamaCppUrl)("tokenizes as llama.cpp", () => {
    const ours = [false, true].map((parseSpecial) =>
      texts.map((text) => model.tokenize(text, { addSpecial: false, parseSpecial })),
    );
    expect(ours).toEqual([reference?.plainIds, reference?.specialIds]);
    const count = ours.flat(2).length;
    recordRow({
      model: id,
      what: "token ids of texts",
      ours: `${count}`,
      theirs: `${count}`,
      note: "all equal",
    });
  });

  it.runIf(llamaCppUrl)("has llama.cpp's greedy token wherever that one is clear", async () => {
    let [tokens, same, clear] = [0, 0, 0];
    for (const { prompt, ids, gaps } of reference?.greedy ?? []) {
      using session = model.createSession();
      // Both sides see llama.cpp's text, so one different token does not change the tokens after it.
      const logits = await session.evaluate([...prompt, ...ids.slice(0, -1)], { logits: "all" });
      const { vocabSize } = model.info;
      for (const [index, expected] of ids.entries()) {
        const row = prompt.length - 1 + index;
        const actual = largest(logits.subarray(row * vocabSize, (row + 1) * vocabSize));
        tokens += 1;
        if (actual === expected) same += 1;
        const gap = gaps[index] ?? 0;
        if (gap <= clearGap) continue;
        clear += 1;
        expect({ index, gap, token: model.detokenize([actual]) }).toEqual({
          index,
          gap,
          token: model.detokenize([expected]),
        });
      }
    }
    expect(clear).toBeGreaterThan(tokens / 2);
    const note = `${clear} of ${clear} with a gap above ${clearGap}`;
    recordRow({ model: id, what: "greedy tokens", ours: `${same} equal`, theirs: `${tokens}`, note });
  });

  it("predicts stories as well as llama.cpp", async () => {
    const { tokens, chunks } = perplexityWindow;
    const result = await perplexity(model, await perplexityText(), { contextLength: tokens, chunks });
    expect(result.tokens).toBe(chunks * (tokens / 2 - 1));
    const [ours, theirs] = [result.perplexity, reference?.perplexity];
    recordRow({
      model: id,
      what: "perplexity",
      ours: ours.toFixed(4),
      ...(theirs !== undefined && {
        theirs: theirs.toFixed(4),
        note: `${((ours / theirs - 1) * 100).toFixed(2)} %`,
      }),
    });
    // A broken model has thousands.
    expect(ours).toBeLessThan(40);
    if (theirs !== undefined) expect(Math.abs(ours / theirs - 1)).toBeLessThan(0.01);
  });

  it("embeds sentences of one meaning closer together, and as llama.cpp", async () => {
    const means = await model.embed(sentences, { pooling: "mean" });
    for (let i = 0; i < sentences.length; i += 3) {
      const [first = [], second = [], other = []] = means.slice(i, i + 3);
      expect(cosine(first, second)).toBeGreaterThan(cosine(first, other));
    }
    const vectors = reference?.vectors;
    if (vectors === undefined) return;
    const last = await model.embed(sentences, { pooling: "last" });
    const cosines = last.map((vector, index) => cosine(vector, vectors[index] ?? []));
    const worst = Math.min(...cosines);
    recordRow({ model: id, what: "embeddings", ours: "cosine", theirs: worst.toFixed(5), note: "the worst" });
    expect(worst).toBeGreaterThan(0.99);
  });
});
