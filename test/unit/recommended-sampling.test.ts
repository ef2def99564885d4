import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BitNetError, loadModel } from "#dist/index.js";
import { readSampling } from "#dist/checkpoints/sampling.js";
import { memoryFolder } from "#dist/platform/memory-source.js";
import { readRecommendedSampling } from "#dist/generation/recommended-sampling.js";
import { resolveGenerateOptions } from "#dist/generation/resolve-options.js";
import { starterPath } from "../support/golden-path.js";
import { rewriteModel } from "../support/rewritten-model.js";

const named = (
  values: Readonly<Record<string, number | string | bigint>>,
): Map<string, number | string | bigint> =>
  new Map(Object.entries(values).map(([key, value]) => [`general.sampling.${key}`, value]));

describe("readRecommendedSampling", () => {
  it("reads llama.cpp's keys, and means the shortest number that a float32 stands for", () => {
    const read = readRecommendedSampling(
      named({
        temp: Math.fround(0.6),
        top_k: 20,
        top_p: Math.fround(0.95),
        min_p: Math.fround(0.05),
        penalty_repeat: Math.fround(1.1),
        penalty_last_n: 128n,
        xtc_threshold: 7,
        sequence: "kpt",
      }),
    );
    expect(read).toEqual({
      temperature: 0.6,
      topK: 20,
      topP: 0.95,
      minP: 0.05,
      repeatPenalty: 1.1,
      repeatLastN: 128,
    });
    expect(readRecommendedSampling(new Map())).toEqual({});
  });

  it("takes numbers below zero for what they mean elsewhere: no chance, all tokens, all of the text", () => {
    const read = readRecommendedSampling(named({ temp: -1, top_k: -1, penalty_last_n: -1 }));
    expect(read).toEqual({ temperature: 0, topK: 0, repeatLastN: -1 });
  });

  it.each([
    ["temp", "warm"],
    ["temp", NaN],
    ["top_k", 1.5],
    ["top_p", 1.01],
    ["min_p", -0.1],
    ["penalty_repeat", 0],
    ["penalty_last_n", -2],
  ])("refuses %s %s with the key's name", (key, value) => {
    const error = (() => {
      try {
        return readRecommendedSampling(named({ [key]: value }));
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(BitNetError);
    expect(error).toMatchObject({
      code: "MODEL_INVALID",
      message: expect.stringContaining(`general.sampling.${key}`),
    });
  });

  it("gives options that generation accepts, or refuses, for any file", () => {
    const key = fc.constantFrom("temp", "top_k", "top_p", "min_p", "penalty_repeat", "penalty_last_n");
    const value = fc.oneof(
      fc.double(),
      fc.float(),
      fc.integer(),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.dictionary(key, value), (values) => {
        let read;
        try {
          read = readRecommendedSampling(named(values));
        } catch (error) {
          expect(error).toMatchObject({ code: "MODEL_INVALID" });
          return;
        }
        resolveGenerateOptions({}, read);
      }),
    );
  });
});

describe("readSampling", () => {
  const sampling = async (generation: object): Promise<Record<string, unknown>> => {
    const files = new Map([["generation_config.json", new TextEncoder().encode(JSON.stringify(generation))]]);
    return Object.fromEntries(
      (await readSampling(memoryFolder(files))).map(([key, , value]) => [key, value]),
    );
  };
  const settings = {
    temperature: 0.6,
    top_p: 0.9,
    top_k: 50,
    min_p: 0.1,
    repetition_penalty: 1.2,
    typical_p: 1,
  };

  it("keeps how generation_config.json says to sample, where it says to sample", async () => {
    expect(await sampling({ do_sample: true, ...settings })).toEqual({
      "general.sampling.temp": Math.fround(0.6),
      "general.sampling.top_k": 50,
      "general.sampling.top_p": Math.fround(0.9),
      "general.sampling.min_p": Math.fround(0.1),
      "general.sampling.penalty_repeat": Math.fround(1.2),
    });
    expect(await sampling({ do_sample: true, temperature: null })).toEqual({});
    expect(await sampling(settings)).toEqual({});
    expect(await sampling({ do_sample: false, ...settings })).toEqual({});
    expect(await readSampling(memoryFolder(new Map()))).toEqual([]);
  });

  it.each([{ temperature: "warm" }, { top_k: 1.5 }, { top_p: [0.9] }])("refuses %j", async (wrong) => {
    await expect(sampling({ do_sample: true, ...wrong })).rejects.toMatchObject({ code: "MODEL_INVALID" });
  });
});

describe("a model that recommends how to sample", () => {
  it("uses it in generate, chat and schedulers unless the caller says otherwise", async () => {
    const bytes = await rewriteModel(starterPath, ({ metadata }) =>
      metadata.set("general.sampling.temp", { type: "float32", value: 0 }),
    );
    await using model = await loadModel(bytes, { threads: 1 });
    expect(model.info.sampling).toEqual({ temperature: 0 });
    await using usual = await loadModel(starterPath, { threads: 1 });
    expect(usual.info.sampling).toEqual({});

    // Greedy as recommended, for any seed. With an explicit temperature, the usual model's draw.
    const [prompt, maxTokens] = ["The king", 12];
    const greedy = await usual.complete(prompt, { maxTokens, temperature: 0 });
    const drawn = await usual.complete(prompt, { maxTokens, seed: 3 });
    expect(drawn).not.toBe(greedy);
    expect(await model.complete(prompt, { maxTokens, seed: 3 })).toBe(greedy);
    expect(await model.complete(prompt, { maxTokens, seed: 3, temperature: 0.8 })).toBe(drawn);

    await using scheduler = model.createScheduler({ parallel: 1 });
    expect(await textOf(scheduler.generate(prompt, { maxTokens, seed: 3 }))).toBe(greedy);
    using chat = model.chat();
    using usualChat = usual.chat();
    const answer = await textOf(usualChat.send(prompt, { maxTokens, temperature: 0 }));
    expect(await textOf(chat.send(prompt, { maxTokens, seed: 3 }))).toBe(answer);
  });

  it("is refused before its weights are read where the recommendation makes no sense", async () => {
    const bytes = await rewriteModel(starterPath, ({ metadata }) =>
      metadata.set("general.sampling.top_p", { type: "float32", value: 3 }),
    );
    await expect(loadModel(bytes)).rejects.toMatchObject({ code: "MODEL_INVALID" });
  });
});

async function textOf(pieces: AsyncIterable<{ readonly text: string }>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece.text;
  return text;
}
