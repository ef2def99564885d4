import { describe, expect, it } from "vitest";
import { resolveGenerateOptions } from "#dist/generation/resolve-options.js";
import { readRecommendedSampling } from "#dist/generation/recommended-sampling.js";
import { isNumberOption } from "#dist/options/ranges.js";
import { samplingTable } from "#dist/options/sampling-table.js";
import { defaultLimits } from "#dist/server/requests/limits.js";
import { samplingPart } from "#dist/server/openai/sampling.js";
import { runScript } from "../support/run-script.js";

const numbers = samplingTable.filter(isNumberOption);
/** In a chat, and with log-probabilities: some options need one or the other. */
const resolve = (options: object): Readonly<Record<string, unknown>> => ({
  ...resolveGenerateOptions({ logprobs: true, thoughts: null, ...options }),
});

describe("the sampling table", () => {
  it("names each option, key, field and flag once", () => {
    const columns: readonly (readonly (string | undefined)[])[] = [
      samplingTable.map(({ name }) => name),
      numbers.map(({ ggufKey }) => ggufKey),
      numbers.map(({ configKey }) => configKey),
      samplingTable.flatMap(({ openai }) => [openai?.field, openai?.alias]),
      samplingTable.map(({ ollama }) => ollama?.field),
      samplingTable.map(({ flags }) => flags),
    ];
    for (const column of columns) {
      const given = column.filter((cell) => cell !== undefined);
      expect(new Set(given).size).toBe(given.length);
    }
  });

  it.each(samplingTable)("describes $name in one sentence and has a default", (option) => {
    expect(option.about).toMatch(/^[A-Z][^.]*\.$/);
    expect([option.defaultText, option.default].filter((value) => value !== undefined)).toHaveLength(1);
    if (isNumberOption(option) && option.default !== undefined) {
      expect(resolve({})[option.name]).toBe(option.default);
      expect(resolve({ [option.name]: option.default })[option.name]).toBe(option.default);
    }
  });

  it.each(numbers)("$name accepts the ends of its range and nothing beyond", (option) => {
    const { name, min, max, above } = option;
    const accepts = (value: number): void => expect(resolve({ [name]: value })[name]).toBe(value);
    const refuses = (value: number): void =>
      expect(() => resolve({ [name]: value })).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT", details: { option: name, value } }),
      );
    const step = option.kind === "integer" ? 1 : 1e-9;
    if (min !== undefined) {
      accepts(min);
      refuses(min - step);
    }
    if (max !== undefined) {
      accepts(max);
      refuses(max + step);
    }
    if (above !== undefined) {
      accepts(above + step);
      refuses(above);
    }
    if (option.kind === "integer") refuses((min ?? 0) + 0.5);
    for (const value of [NaN, Infinity, -Infinity]) refuses(value);
  });

  it.each(numbers.filter(({ ggufKey }) => ggufKey !== undefined))(
    "a model file's $name replaces the default, and the caller's replaces both",
    ({ name, ggufKey, kind }) => {
      const recommended = kind === "integer" ? 3 : 0.5;
      const found = readRecommendedSampling(new Map([[`general.sampling.${ggufKey}`, recommended]]));
      expect(found).toEqual({ [name]: recommended });
      expect({ ...resolveGenerateOptions({}, found) }).toMatchObject({ [name]: recommended });
      expect({ ...resolveGenerateOptions({ [name]: 1 }, found) }).toMatchObject({ [name]: 1 });
    },
  );

  it.each(numbers.filter(({ openai }) => openai !== undefined))(
    "OpenAI's routes read $name",
    ({ name, openai }) => {
      for (const field of [openai?.field, openai?.alias]) {
        if (field !== undefined)
          expect(samplingPart.read({ [field]: 1 }, defaultLimits)).toMatchObject({ [name]: 1 });
      }
    },
  );

  it("equals the docstrings of GenerateOptions and the documentation", async () => {
    const { stdout, status } = await runScript("scripts/option-docs.mjs", ["--check"]);
    expect([stdout, status]).toEqual([`option-docs: ${samplingTable.length} options\n`, 0]);
  });
});

describe("unknown options of generate", () => {
  it.each([
    ["maxTokns", "did you mean maxTokens?"],
    ["max_tokens", "did you mean maxTokens?"],
    ["top_k", "did you mean topK?"],
    ["temprature", "did you mean temperature?"],
  ])("%s is refused: %s", (name, advice) => {
    expect(() => resolve({ [name]: 1 })).toThrow(`Unknown option ${name} of generate: ${advice}`);
  });
});

describe("logitBias", () => {
  it("is an object or a Map", () => {
    const expected = new Map([
      [7, 1.5],
      [42, -Infinity],
    ]);
    expect(resolve({ logitBias: { 7: 1.5, 42: -Infinity } }).logitBias).toEqual(expected);
    expect(resolve({ logitBias: expected }).logitBias).toEqual(expected);
  });
});
