import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LanguageModel, loadModel, perplexity } from "#dist/index.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { createChatTemplate } from "#dist/text/chat-template.js";
import { committedGoldenPath } from "../support/golden-path.js";

/** The file that training/golden.py writes. */
interface TrainerGolden {
  readonly text: string;
  readonly ids: readonly number[];
  readonly perplexity: number;
  readonly scored: number;
  readonly question: string;
  readonly questionIds: readonly number[];
}

describe("the embedded model against the trainer that made it", () => {
  const golden = JSON.parse(
    readFileSync(committedGoldenPath("trainer/golden.json"), "utf8"),
  ) as TrainerGolden;
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(undefined, { threads: 2 });
  });
  afterAll(() => model.dispose());

  it("has its tokens", () => {
    expect(golden.ids.length).toBeGreaterThan(1024);
    expect(model.tokenize(golden.text, { addSpecial: false })).toEqual(golden.ids);
    expect(model.detokenize(golden.ids)).toBe(golden.text);
  });

  it("has its perplexity of stories that neither saw", async () => {
    const found = await perplexity(model, golden.text, { contextLength: 1024 });
    expect(found.tokens).toBe(golden.scored);
    // Another order of float additions moves some activations to the next int8 value. Keys and values are
    // halves here. The effect averages out: 0.0016 over this text, 0.00009 over the whole book.
    expect(Math.abs(found.perplexity / golden.perplexity - 1)).toBeLessThan(0.005);
  });

  it("is asked as it was trained to be", () => {
    const template = createChatTemplate(internalsOf(model).tokenizer);
    expect(template.kind).toBe("model");
    expect(template.encode([{ role: "user", content: golden.question }])).toEqual(golden.questionIds);
  });

  it("ends its answers by itself", async () => {
    const ends = [];
    for (let seed = 0; seed < 4; seed += 1) {
      using chat = model.chat();
      for await (const piece of chat.send(golden.question, { seed, maxTokens: 480 }))
        if (piece.finishReason !== undefined) ends.push(piece.finishReason);
    }
    expect(ends).toContain("stop");
  });

  it("writes the same answer each time it is asked", async () => {
    const answer = async (): Promise<string> => {
      using chat = model.chat();
      let text = "";
      for await (const piece of chat.send(golden.question, { temperature: 0, maxTokens: 60 }))
        text += piece.text;
      return text;
    };
    const first = await answer();
    expect(first.length).toBeGreaterThan(100);
    expect(await answer()).toBe(first);
  });
});
