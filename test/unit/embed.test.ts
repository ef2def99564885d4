import { describe, expect, it } from "vitest";
import type { MetadataValue } from "#dist/files/model-file.js";
import { type LanguageModel, loadModel, type LoadOptions } from "#dist/index.js";
import { architectureCases } from "../conformance/architecture-cases.js";
import { starterPath } from "../support/golden-path.js";
import { at } from "../reference/float32.js";
import { type ReferenceDecoder, referenceHidden } from "../reference/decoder.js";
import { makeTinyModel } from "../support/tiny-model.js";

const seven = "qwen3, a norm before each projection, stored as halves";
const gemma = "gemma3, a norm before each ternary projection, heads of 256";
const plain = "llama, a head of its own and divisors of frequencies";

async function open(
  name: string,
  options: LoadOptions = {},
  keys: Readonly<Record<string, MetadataValue>> = {},
): Promise<{ readonly model: LanguageModel; readonly reference: ReferenceDecoder }> {
  const found = architectureCases.find((architectureCase) => architectureCase.name === name);
  if (found === undefined) throw new Error(`no case "${name}"`);
  const metadata = new Map([...found.metadata, ...Object.entries(keys)]);
  const made = await makeTinyModel(metadata, found.tensors, found.formats, 11);
  const model = await loadModel(made.bytes, { threads: 1, ...options });
  return { model, reference: found.meaning(made.tensors) };
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [product, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    product += at(a, i) * at(b, i);
    ofA += at(a, i) ** 2;
    ofB += at(b, i) ** 2;
  }
  return product / Math.sqrt(ofA * ofB);
}

/** The hidden state of the last id, or the mean of all ids. */
function pooled(reference: ReferenceDecoder, ids: readonly number[], pooling: "last" | "mean"): number[] {
  const rows = referenceHidden(reference, ids);
  if (pooling === "last") return [...(rows.at(-1) ?? [])];
  return Array.from(rows[0] ?? [], (_, k) => rows.reduce((sum, row) => sum + at(row, k), 0) / rows.length);
}

// The maximum sine of the angle between two directions: f32 arithmetic, and halves that round the other way.
const boundOfSine = 1e-3;

describe("embed", () => {
  it.each([
    [seven, "last"],
    [seven, "mean"],
    [gemma, "last"],
    [plain, "mean"],
  ] as const)("of %s pools by the %s hidden states of the reference", async (name, pooling) => {
    const { model, reference } = await open(name);
    const [vector] = await model.embed(["A tree."], { pooling });
    const eos = pooling === "last" ? [257] : [];
    const ids = [...model.tokenize("A tree."), ...eos];
    await model.dispose();
    if (vector === undefined) throw new Error("no vector");
    expect(vector).toHaveLength(reference.tensors.get("output_norm.weight")?.values.length ?? 0);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
    expect(1 - cosine(vector, pooled(reference, ids, pooling))).toBeLessThan(boundOfSine ** 2);
    // The other pooling gives another direction.
    const other = pooling === "last" ? "mean" : "last";
    expect(1 - cosine(vector, pooled(reference, ids, other))).toBeGreaterThan(10 * boundOfSine ** 2);
  });

  it("pools as the file says, and by the mean where it says nothing", async () => {
    for (const [name, pooling, keys] of [
      [seven, "last", {}],
      [seven, "mean", { "qwen3.pooling_type": 1 }],
      [plain, "mean", {}],
    ] as const) {
      const { model } = await open(name, {}, keys);
      expect(await model.embed(["abc"])).toEqual(await model.embed(["abc"], { pooling }));
      const other = pooling === "last" ? "mean" : "last";
      expect(await model.embed(["abc"])).not.toEqual(await model.embed(["abc"], { pooling: other }));
      await model.dispose();
    }
  });

  it("ends a text whose last token counts, once, unless the file says that texts do not end", async () => {
    const vectors = [];
    for (const entries of [
      {},
      { "tokenizer.ggml.add_eos_token": true },
      { "tokenizer.ggml.add_eos_token": false },
    ]) {
      const { model } = await open(seven, {}, entries);
      vectors.push((await model.embed(["abc"]))[0]);
      await model.dispose();
    }
    expect(vectors[1]).toEqual(vectors[0]);
    expect(vectors[2]).not.toEqual(vectors[0]);
  });

  it("gives each text the same bits alone, among others, in pieces, with any number of threads", async () => {
    // Short texts, a text that is cut at the end of a full pass, and a text of several passes.
    const texts = ["a", "bc", "Once upon a time", "x".repeat(50), "The fox. ".repeat(12), "", "last"];
    const alone: Float32Array[] = [];
    {
      const { model } = await open(seven, { engine: { kernelBuild: "simd128" } });
      for (const text of texts) alone.push(...(await model.embed([text])));
      await model.dispose();
    }
    expect(new Set(alone.map((vector) => vector.join())).size).toBe(texts.length);
    for (const threads of [1, 3]) {
      const { model } = await open(seven, { threads });
      expect(await model.embed(texts)).toEqual(alone);
      const both = await Promise.all([model.embed(texts.slice(0, 4)), model.embed(texts.slice(4))]);
      expect(both.flat()).toEqual(alone);
      await model.dispose();
    }
  });

  it("puts the instruction in front of queries where a model was trained with one", async () => {
    const qwen = "qwen3, norms of heads and YaRN";
    const words = "Given a web search query, retrieve relevant passages that answer the query";
    for (const [name, keys, prefix] of [
      [seven, { "qwen3.context_length": 400 }, `Instruct: ${words}\nQuery: `],
      [gemma, { "gemma3.context_length": 400 }, `Instruct: ${words}\nQuery: `],
      [qwen, { "qwen3.context_length": 400, "qwen3.pooling_type": 3 }, `Instruct: ${words}\nQuery:`],
      [qwen, { "qwen3.context_length": 400 }, ""],
      [plain, {}, ""],
    ] as const) {
      const { model } = await open(name, {}, keys);
      const expected = await model.embed([`${prefix}how?`]);
      expect(await model.embed(["how?"], { kind: "query" })).toEqual(expected);
      expect(await model.embed(["how?"], { kind: "document" })).toEqual(await model.embed(["how?"]));
      await model.dispose();
    }
  });

  it("takes another instruction", async () => {
    const { model } = await open(seven);
    const expected = await model.embed(["Instruct: Sort by colour\nQuery: red"]);
    const actual = await model.embed(["red"], { kind: "query", instruction: "Sort by colour" });
    expect(actual).toEqual(expected);
    await model.dispose();
  });

  it("works without the output head, whether that is whole in memory or screened", async () => {
    const vectors = [];
    for (const head of ["whole", "screened"] as const) {
      await using model = await loadModel(starterPath, { threads: 2, engine: { head } });
      vectors.push(await model.embed(["Once upon a time there was a fox.", "There was a mill."]));
    }
    expect(vectors[1]).toEqual(vectors[0]);
    expect(cosine(vectors[0]?.[0] ?? [], vectors[0]?.[1] ?? [])).toBeLessThan(0.999);
  });

  it("gives back its memory, also after it failed", async () => {
    // A memory for the model and little more. A later call would fail if a call kept memory.
    const { model } = await open(seven, { engine: { regionBytes: 3 << 19 } });
    for (let i = 0; i < 40; i += 1) {
      const controller = new AbortController();
      const running = model.embed(["x".repeat(100), "y".repeat(100)], { signal: controller.signal });
      if (i % 2 === 1) controller.abort(new Error("enough"));
      if (i % 2 === 1) await expect(running).rejects.toThrow("enough");
      else expect(await running).toHaveLength(2);
    }
    await model.dispose();
  });

  it("of no texts is no vectors", async () => {
    const { model } = await open(plain);
    expect(await model.embed([])).toEqual([]);
    await model.dispose();
  });

  it.each<readonly [string, string, RegExp, unknown, unknown]>([
    ["a text that is none", "INVALID_ARGUMENT", /text 1: it is number/, ["a", 7], {}],
    ["texts that are no array", "INVALID_ARGUMENT", /array of strings/, "abc", {}],
    [
      "a text longer than the context",
      "CONTEXT_FULL",
      /Text 1 has \d+ tokens and the context holds 128/,
      ["a", "b".repeat(300)],
      {},
    ],
    ["an unknown kind", "INVALID_ARGUMENT", /Invalid kind: "answer"/, ["a"], { kind: "answer" }],
    ["an unknown pooling", "INVALID_ARGUMENT", /Invalid pooling: "max"/, ["a"], { pooling: "max" }],
    ["an instruction for documents", "INVALID_ARGUMENT", /Invalid instruction/, ["a"], { instruction: "x" }],
    ["options that are none", "INVALID_ARGUMENT", /Invalid options/, ["a"], 7],
  ])("refuses %s", async (_, code, message, texts, options) => {
    const { model } = await open(plain);
    await expect(model.embed(texts as string[], options as object)).rejects.toMatchObject({
      name: "BitNetError",
      code,
      message: expect.stringMatching(message),
    });
    await model.dispose();
  });

  it("refuses an empty text if the model adds neither BOS nor EOS", async () => {
    const { model } = await open(plain, {}, { "tokenizer.ggml.add_bos_token": false });
    await expect(model.embed(["a", ""])).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("text 1: it is empty"),
    });
    await model.dispose();
  });

  it("rejects with the signal's reason and after disposal", async () => {
    const { model } = await open(plain);
    const reason = new Error("changed my mind");
    await expect(model.embed(["a"], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const running = expect(model.embed(["x".repeat(100)])).rejects.toMatchObject({ code: "DISPOSED" });
    await model.dispose();
    await running;
    await expect(model.embed(["a"])).rejects.toMatchObject({ code: "DISPOSED" });
  });
});
