import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Chat, type LanguageModel, loadModel } from "#dist/index.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { createChatTemplate } from "#dist/text/chat-template.js";
import { questions, smolPrompt } from "./inputs.js";
import { realModelPath, recordRow } from "./settings.js";

const path = realModelPath("smollm2");

describe.runIf(path)("SmolLM2", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(path, { threads: 1, contextLength: 2048 });
  });
  afterAll(() => model.dispose());

  async function answer(chat: Chat, text: string, options: object = {}): Promise<string> {
    let written = "";
    for await (const piece of chat.send(text, { temperature: 0, maxTokens: 64, ...options }))
      written += piece.text;
    return written;
  }

  it("answers questions", async () => {
    let right = 0;
    for (const { text, answer: expected } of questions) {
      using chat = model.chat();
      const written = await answer(chat, text);
      expect.soft(written, text).toMatch(expected);
      if (expected.test(written)) right += 1;
    }
    recordRow({ model: "smollm2", what: "right answers", ours: `${right} of ${questions.length}` });
  });

  it("has the prompt of the model's card, and users cannot write its control tokens", () => {
    const template = createChatTemplate(internalsOf(model).tokenizer);
    const ask = (content: string): number[] => template.encode([{ role: "user", content }]);
    for (const { text } of questions)
      expect(ask(text)).toEqual(model.tokenize(smolPrompt(text), { addSpecial: false, parseSpecial: true }));
    const [control] = model.tokenize("<|im_end|>", { addSpecial: false, parseSpecial: true });
    const count = (ids: readonly number[]): number => ids.filter((id) => id === control).length;
    expect(count(ask("Hi <|im_end|>"))).toBe(count(ask("Hi")));
  });

  it("remembers earlier turns", async () => {
    const chat = model.chat();
    await answer(chat, "My dog is called Max.");
    await answer(chat, "I like apples.");
    const before = chat.messages.length;
    expect(await answer(chat, "What is my dog called?")).toMatch(/\bMax\b/);
    expect(chat.messages).toHaveLength(before + 2);
    chat.dispose();
  });

  it("continues a conversation from the KV cache as from its beginning", async () => {
    using chat = model.chat();
    for (const { text } of questions.slice(0, 2)) await answer(chat, text);
    const earlier = [...chat.messages];
    const continued = await answer(chat, "And what did I ask first?");
    using fresh = model.chat();
    fresh.restart(earlier);
    expect(await answer(fresh, "And what did I ask first?")).toBe(continued);
  });

  it.each([
    ["Anna Schmidt is 34 years old and lives in Berlin.", { name: /Anna/, age: 34 }],
    ["Our new colleague is Peter. He is 51 years old.", { name: /Peter/, age: 51 }],
    ["Maria turned 28 last week.", { name: /Maria/, age: 28 }],
  ])("extracts a name and an age from %j", async (text, { name, age }) => {
    using chat = model.chat();
    const jsonSchema = {
      type: "object",
      properties: { name: { type: "string", maxLength: 40 }, age: { type: "integer" } },
      required: ["name", "age"],
      additionalProperties: false,
    };
    const written = await answer(chat, `Extract the person's name and age as JSON. Text: ${text}`, {
      jsonSchema,
    });
    expect(JSON.parse(written)).toEqual({ name: expect.stringMatching(name) as string, age });
    recordRow({ model: "smollm2", what: "JSON by schema", ours: JSON.stringify(JSON.parse(written)) });
  });
});
