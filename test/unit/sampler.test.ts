import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRandom } from "#dist/generation/sampling/random.js";
import { createSampler } from "#dist/generation/sampling/sampler.js";
import { resolveGenerateOptions, type SamplerOptions } from "#dist/generation/resolve-options.js";
import type { GenerateOptions } from "#dist/options/generate-options.js";
import { sampleByDefinition } from "../reference/sampler.js";

const resolve = (options: GenerateOptions): SamplerOptions => resolveGenerateOptions(options);
const plainOptions = { temperature: 1, topK: 0, topP: 1, minP: 0 };

/** Logits of every kind, many of them equal. */
const anyLogits = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.float({ min: -12, max: 12, noNaN: true }) },
      { weight: 3, arbitrary: fc.integer({ min: -2, max: 2 }) },
      { weight: 1, arbitrary: fc.constantFrom(-Infinity, NaN, Infinity, 3e38, -3e38) },
    ),
    { minLength: 1, maxLength: 300 },
  )
  .map((values) => Float32Array.from(values))
  .filter((logits) => logits.some((logit) => logit > -Infinity));

const uneven = fc.double({ min: 0.001, max: 0.999, noNaN: true });
const anyOptions = fc.record({
  temperature: fc.oneof(fc.constant(0), fc.constant(1), fc.double({ min: 0.05, max: 3, noNaN: true })),
  topK: fc.constantFrom(0, 0, 1, 2, 5, 40, 1000),
  topP: fc.oneof(fc.constant(1), uneven),
  minP: fc.oneof(fc.constant(0), uneven),
  repeatPenalty: fc.constantFrom(1, 1, 1.1, 0.7),
  presencePenalty: fc.constantFrom(0, 0, 0.4, -1),
  frequencyPenalty: fc.constantFrom(0, 0, 0.3),
  repeatLastN: fc.constantFrom(-1, 0, 3, 64),
});

test("sampler equals sampling by definition", () => {
  fc.assert(
    fc.property(
      anyLogits,
      anyOptions,
      fc.array(fc.nat(299), { maxLength: 80 }),
      fc.maxSafeNat(),
      (logits, options, past, seed) => {
        const history = past.map((id) => id % logits.length);
        const logitBias = new Map(history.slice(0, 2).map((id, index) => [id, index === 0 ? 1.5 : -2]));
        const resolved = resolve({ ...options, logitBias });
        const sampler = createSampler(resolved, seed);
        const random = createRandom(seed);
        for (let draw = 0; draw < 3; draw += 1) {
          const expected = sampleByDefinition(
            logits,
            history,
            resolved,
            options.temperature === 0 ? 0 : random.next(),
          );
          expect(sampler.sample(logits, history).tokenId).toBe(expected);
        }
      },
    ),
    { numRuns: 3000 },
  );
});

test("sampler equals sampling by definition over a large and flat vocabulary", () => {
  const random = createRandom(5);
  const logits = Float32Array.from({ length: 20_000 }, () => Math.fround(2 * random.next()));
  for (const options of [
    { topP: 0.97 },
    { topP: 0.5, minP: 0.3 },
    { topK: 5000, topP: 0.9 },
    { minP: 0.4 },
    {},
  ]) {
    const resolved = resolve({ ...plainOptions, ...options });
    const sampler = createSampler(resolved, 9);
    const chances = createRandom(9);
    for (let draw = 0; draw < 20; draw += 1) {
      expect(sampler.sample(logits, []).tokenId).toBe(
        sampleByDefinition(logits, [], resolved, chances.next()),
      );
    }
  }
});

describe("sampler", () => {
  const probabilities = [0.5, 0.2, 0.15, 0.1, 0.05];
  const logits = Float32Array.from(probabilities, (probability) => Math.log(probability) + 3);
  const frequencies = (options: GenerateOptions): number[] => {
    const sampler = createSampler(resolve({ ...plainOptions, ...options }), 7);
    const counts = probabilities.map(() => 0);
    const draws = 20_000;
    for (let draw = 0; draw < draws; draw += 1) {
      const { tokenId } = sampler.sample(logits, []);
      counts[tokenId] = (counts[tokenId] ?? 0) + 1;
    }
    return counts.map((count) => count / draws);
  };
  // Four standard deviations of a frequency over 20000 draws.
  const close = (actual: readonly number[], expected: readonly number[]): void => {
    actual.forEach((frequency, index) => {
      const share = expected[index] ?? 0;
      expect(Math.abs(frequency - share)).toBeLessThanOrEqual(4 * Math.sqrt((share * (1 - share)) / 20_000));
    });
  };

  test("draws each token as often as its probability", () => {
    close(frequencies({}), probabilities);
  });

  test("sharpens and flattens by temperature", () => {
    const power = (exponent: number): number[] => {
      const raised = probabilities.map((probability) => probability ** exponent);
      const total = raised.reduce((sum, value) => sum + value);
      return raised.map((value) => value / total);
    };
    close(frequencies({ temperature: 0.5 }), power(2));
    close(frequencies({ temperature: 2 }), power(0.5));
  });

  test("keeps the tokens that top-k, top-p and min-p keep", () => {
    close(frequencies({ topK: 2 }), [5 / 7, 2 / 7, 0, 0, 0]);
    close(frequencies({ topP: 0.8 }), [0.5 / 0.85, 0.2 / 0.85, 0.15 / 0.85, 0, 0]);
    close(frequencies({ minP: 0.25 }), [0.5 / 0.85, 0.2 / 0.85, 0.15 / 0.85, 0, 0]);
  });

  test("takes the likeliest token at temperature 0, the lowest id of equals", () => {
    const sample = (values: number[]): number =>
      createSampler(resolve({ temperature: 0 }), 0).sample(Float32Array.from(values), []).tokenId;
    expect(sample([1, 3, 3, 2])).toBe(1);
    expect(sample([NaN, -Infinity, -5])).toBe(2);
    expect(sample([0, Infinity, Infinity])).toBe(1);
  });

  test("does not write to the logits", () => {
    const values = Float32Array.of(1, 2, 3);
    const options = resolve({ repeatPenalty: 2, logitBias: new Map([[0, -Infinity]]) });
    createSampler(options, 1).sample(values, [2, 2]);
    expect([...values]).toEqual([1, 2, 3]);
  });

  test("never draws what logitBias forbids", () => {
    const sampler = createSampler(resolve({ ...plainOptions, logitBias: new Map([[0, -Infinity]]) }), 1);
    for (let draw = 0; draw < 200; draw += 1) expect(sampler.sample(logits, []).tokenId).not.toBe(0);
  });

  test("gives log-probabilities of the logits as they were, where asked", () => {
    const sampler = createSampler(
      resolve({ temperature: 0.3, topK: 2, repeatPenalty: 2, logprobs: true }),
      1,
    );
    for (let draw = 0; draw < 20; draw += 1) {
      const { tokenId, logprob } = sampler.sample(logits, [0, 1]);
      expect(logprob).toBeCloseTo(Math.log(probabilities[tokenId] ?? 0), 6);
    }
    expect(createSampler(resolve({}), 1).sample(logits, []).logprob).toBeUndefined();
  });

  test.each([{}, { temperature: 0 }, { topK: 0 }, { ...plainOptions }])(
    "refuses logits without any number, %j",
    (options) => {
      const sampler = createSampler(resolve(options), 1);
      expect(() => sampler.sample(Float32Array.of(NaN, -Infinity), [])).toThrow(
        expect.objectContaining({ code: "MODEL_INVALID" }),
      );
    },
  );

  test.each([{}, { temperature: 0 }, { topK: 0 }, { topK: 0, topP: 1 }, { ...plainOptions }])(
    "refuses biases that forbid every token with a logit, %j",
    (options) => {
      const sampler = createSampler(resolve({ ...options, logitBias: { 1: -Infinity, 2: -Infinity } }), 1);
      expect(() => sampler.sample(Float32Array.of(-Infinity, 1, 2), [])).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining("logitBias") }),
      );
      expect(() => sampler.sample(Float32Array.of(NaN, NaN, NaN), [])).toThrow(
        expect.objectContaining({ code: "MODEL_INVALID" }),
      );
      expect(sampler.sample(Float32Array.of(0, 1, 2), []).tokenId).toBe(0);
    },
  );

  test("gives the same tokens for the same seed, and others for another", () => {
    const flat = new Float32Array(1000);
    const draw = (seed: number): number[] => {
      const sampler = createSampler(resolve(plainOptions), seed);
      return Array.from({ length: 20 }, () => sampler.sample(flat, []).tokenId);
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });
});

describe("resolveGenerateOptions", () => {
  test("fills in the defaults", () => {
    const { seed, ...rest } = resolveGenerateOptions();
    expect(rest).toEqual({
      grammar: undefined,
      topLogprobs: 0,
      maxTokens: Infinity,
      maxThinkingTokens: Infinity,
      thoughts: undefined,
      temperature: 0.8,
      topK: 40,
      topP: 0.95,
      minP: 0.05,
      repeatPenalty: 1,
      presencePenalty: 0,
      frequencyPenalty: 0,
      repeatLastN: 64,
      logitBias: new Map(),
      speculation: "auto",
      stop: [],
      logprobs: false,
      parseSpecial: false,
      showSpecial: false,
      shownTokens: [],
      signal: undefined,
    });
    expect(Number.isSafeInteger(seed) && seed >= 0).toBe(true);
    expect(resolveGenerateOptions().seed).not.toBe(seed);
    expect(resolveGenerateOptions({ stop: "x", seed: 5, topK: undefined })).toMatchObject({
      stop: ["x"],
      seed: 5,
      topK: 40,
    });
  });

  const wrong: readonly (readonly [keyof GenerateOptions, readonly unknown[]])[] = [
    ["maxTokens", [0, -1, 1.5, NaN, Infinity, "5"]],
    ["temperature", [-0.1, NaN, Infinity, "1", null]],
    ["topK", [-1, 0.5, NaN, 2 ** 53]],
    ["topP", [-0.1, 1.1, NaN]],
    ["minP", [-0.1, 1.1, NaN]],
    ["repeatPenalty", [0, -1, NaN, Infinity]],
    ["presencePenalty", [-2.1, 2.1, NaN]],
    ["frequencyPenalty", [-2.1, 2.1, NaN]],
    ["repeatLastN", [-2, 0.5, NaN]],
    ["seed", [-1, 0.5, NaN, 2 ** 53, "1"]],
    ["stop", ["", ["a", ""], [5], 5, "x".repeat(5000), new Array(65).fill("x"), "\ud83d"]],
    ["logprobs", [1, "yes"]],
    [
      "logitBias",
      [
        { one: 2 },
        { "-1": 2 },
        { 1: "2" },
        [2],
        new Set([1]),
        5,
        new Map([[-1, 0]]),
        new Map([[1, NaN]]),
        new Map([[1, Infinity]]),
      ],
    ],
    ["topLogprobs", [-1, 21, 0.5]],
    ["speculation", ["always", 1]],
    ["onSchemaWarnings", [true, {}]],
    ["onSpeculation", [1, {}]],
    ["signal", [{}, "stop"]],
  ];
  test.each(wrong.flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
    "refuses %s = %s",
    (name, value) => {
      const resolveIt = (): unknown => resolveGenerateOptions({ [name]: value });
      if (value === null) return expect(resolveIt()).toBeDefined();
      expect(resolveIt).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      expect(resolveIt).toThrow(name);
    },
  );
});

describe("a guided sampler", () => {
  test("picks the same tokens whether it asks for the likeliest only or for all", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 400, maxLength: 600 }),
        fc.constantFrom(0.02, 0.3, 0.9),
        fc.record({
          temperature: fc.constantFrom(0, 1),
          topK: fc.constantFrom(0, 1, 8, 40),
          topP: fc.constantFrom(0.9, 1),
          presencePenalty: fc.constantFrom(0, 1),
        }),
        fc.nat(),
        (values, share, options, seed) => {
          const logits = Float32Array.from(values, (value) => value / 4);
          // Some tokens at random, and always the first.
          const allows = (id: number): boolean =>
            id === 0 || ((id * 2654435761 + seed) >>> 0) % 1000 < share * 1000;
          const restrict = (all: Float32Array): void => {
            for (let id = 0; id < all.length; id += 1) if (!allows(id)) all[id] = -Infinity;
          };
          const [lazy, full] = [false, true].map((known) => {
            const sampler = createSampler(resolveGenerateOptions(options), seed);
            const guide = { allows, restrict, isKnown: () => known };
            return Array.from(
              { length: 5 },
              () => sampler.sample(logits, [1, 2, 3], undefined, guide).tokenId,
            );
          });
          expect(lazy).toEqual(full);
          expect(full?.every(allows)).toBe(true);
        },
      ),
    );
  });
});
