import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Chat, SendOptions } from "#dist/generation/chat.js";
import type { GeneratedPiece } from "#dist/generation/generated-piece.js";
import { type InnerGenerateOptions, resolveGenerateOptions } from "#dist/generation/resolve-options.js";
import { createTextWriter } from "#dist/generation/text-writer.js";
import { type ChatMessage, type LanguageModel, loadModel } from "#dist/index.js";
import { thinkTags } from "#dist/text/thought-reader.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { byteVocabulary } from "../support/small-vocabularies.js";
import { makeThinkingModel, openTemplate } from "../support/thinking-model.js";

interface Answer {
  readonly thinking: string;
  readonly content: string;
  readonly pieces: readonly GeneratedPiece[];
}

async function read(pieces: AsyncIterable<GeneratedPiece>): Promise<Answer> {
  const all: GeneratedPiece[] = [];
  for await (const piece of pieces) all.push(piece);
  return apart(all);
}

function apart(pieces: readonly GeneratedPiece[]): Answer {
  const text = (isThought: boolean): string =>
    pieces.map((piece) => ((piece.thinking === true) === isThought ? piece.text : "")).join("");
  return { thinking: text(true), content: text(false), pieces };
}

const greedy = { temperature: 0 } as const;
const ask = (chat: Chat, options: SendOptions = {}): Promise<Answer> =>
  read(chat.send("Hi", { ...greedy, ...options }));
const why = { thinking: "why", content: "So." };
const invalid = (message: RegExp): Error =>
  expect.objectContaining({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(message) as string,
  }) as Error;

/** "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n": one token per byte, and four tags. */
const promptTokens = 21;
/** With "<think>\n\n</think>\n\n". */
const noThinkPromptTokens = 25;

describe("a chat with a model that thinks", () => {
  let model: LanguageModel;
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    const made = await makeThinkingModel();
    tokenizer = made.tokenizer;
    model = await loadModel(made.bytes, { threads: 1 });
  });
  afterAll(() => model.dispose());

  it("tells the thought from the answer, in pieces and in messages", async () => {
    using chat = model.chat();
    const { pieces, ...texts } = await ask(chat);
    expect(texts).toEqual(why);
    const written = "<think>why</think>\n\nSo.<|im_end|>";
    expect(pieces.map(({ tokenId }) => tokenId)).toEqual(
      tokenizer.encode(written, { addSpecial: false, parseSpecial: true }),
    );
    // Tags and the white space beside them belong to the thought.
    expect(pieces.map(({ thinking }) => thinking === true)).toEqual([
      ...Array.from({ length: 6 }, () => true),
      ...Array.from({ length: 4 }, () => false),
    ]);
    expect(pieces.at(-1)).toMatchObject({
      finishReason: "stop",
      usage: { promptTokens, generatedTokens: 10, thinkingTokens: 6 },
    });
    expect(chat.messages).toEqual([
      { role: "user", content: "Hi" },
      { role: "assistant", ...why },
    ]);
  });

  it("leaves earlier thoughts to the template", async () => {
    using chat = model.chat();
    await ask(chat);
    const { pieces, ...texts } = await ask(chat);
    expect(texts).toEqual(why);
    const said = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    const prompt = `${said}So.<|im_end|>\n${said}`;
    expect(pieces.at(-1)?.usage?.promptTokens).toBe(
      tokenizer.encode(prompt, { addSpecial: false, parseSpecial: true }).length,
    );
  });

  it.each<[string, SendOptions]>([
    ["thinking", { thinking: false }],
    ["a template variable", { templateVariables: { enable_thinking: false } }],
  ])("does not think without %s, for a chat and for one message", async (_, off) => {
    const quiet = { thinking: "", content: "So." };
    using chat = model.chat(off);
    const { pieces, ...texts } = await ask(chat);
    expect(texts).toEqual(quiet);
    const usage = { promptTokens: noThinkPromptTokens, generatedTokens: 4, thinkingTokens: 0 };
    expect(pieces.at(-1)?.usage).toEqual(usage);
    expect(await ask(chat, { thinking: true })).toMatchObject(why);
    using other = model.chat({ thinking: true });
    expect((await ask(other)).pieces.at(-1)?.usage?.promptTokens).toBe(promptTokens);
    expect(await ask(other, off)).toMatchObject(quiet);
  });

  it("ends a thought that is too long, and answers", async () => {
    using chat = model.chat();
    const { pieces, ...texts } = await ask(chat, { maxThinkingTokens: 2 });
    expect(texts).toEqual({ thinking: "wh", content: "So." });
    const written = "<think>wh\n</think>\n\nSo.<|im_end|>";
    expect(pieces.map(({ tokenId }) => tokenId)).toEqual(
      tokenizer.encode(written, { addSpecial: false, parseSpecial: true }),
    );
    for (const [maxThinkingTokens, thinking] of [
      [0, ""],
      [1, "w"],
      [3, "why"],
      [4, "why"],
      [1000, "why"],
    ] as const) {
      expect(await ask(chat, { maxThinkingTokens })).toMatchObject({ thinking, content: "So." });
    }
  });

  it("writes the same end where tokens are drafted", async () => {
    using chat = model.chat();
    chat.restart([
      { role: "user", content: "<think>why</think>So. <think>why" },
      { role: "assistant", content: "x" },
    ]);
    let draftedTokens = 0;
    const { pieces, ...texts } = await ask(chat, {
      maxThinkingTokens: 2,
      speculation: "prompt-lookup",
      onSpeculation: (counts) => ({ draftedTokens } = counts),
    });
    expect(texts).toEqual({ thinking: "wh", content: "So." });
    expect(pieces.at(-1)?.usage).toMatchObject({ generatedTokens: 10, thinkingTokens: 6 });
    expect(draftedTokens).toBeGreaterThan(0);
  });

  it("gives the end that was written for it log-probabilities too", async () => {
    using chat = model.chat();
    const { pieces } = await ask(chat, { maxThinkingTokens: 1, logprobs: true, topLogprobs: 1 });
    const written = "<think>w\n</think>\n\nSo.<|im_end|>";
    expect(pieces.map(({ tokenId }) => tokenId)).toEqual(
      tokenizer.encode(written, { addSpecial: false, parseSpecial: true }),
    );
    expect(pieces.every(({ logprob = 1, topLogprobs }) => logprob <= 0 && topLogprobs?.length === 1)).toBe(
      true,
    );
    // "h" was the likeliest, and the line break was written.
    const forced = pieces[2];
    expect(forced?.topLogprobs?.[0]?.logprob).toBeGreaterThan(forced?.logprob ?? 0);
  });

  it("keeps the answer to a schema, and not the thought", async () => {
    using chat = model.chat();
    const jsonSchema = { const: "x" };
    expect(await ask(chat, { jsonSchema })).toMatchObject({ thinking: "why", content: '"x"' });
    expect(await ask(chat, { jsonSchema, maxThinkingTokens: 1 })).toMatchObject({
      thinking: "w",
      content: '"x"',
    });
    const quiet = await ask(chat, { jsonSchema, thinking: false });
    expect([quiet.thinking, JSON.parse(quiet.content)]).toEqual(["", "x"]);
    const sampled = { jsonSchema: { enum: [1, 2] }, temperature: 1, seed: 3, maxThinkingTokens: 20 };
    expect((await ask(chat, sampled)).content).toMatch(/^[12]$/);
  });

  it("looks for stop strings in the answer only", async () => {
    using chat = model.chat();
    expect(await ask(chat, { stop: "h" })).toMatchObject(why);
    expect(await ask(chat, { stop: ["y", "o"] })).toMatchObject({ thinking: "why", content: "S" });
    expect(await ask(chat, { stop: "</think>" })).toMatchObject(why);
  });

  it("keeps a thought that was cut", async () => {
    using chat = model.chat();
    expect(await ask(chat, { maxTokens: 3 })).toMatchObject({ thinking: "wh", content: "" });
    expect(chat.messages.at(-1)).toEqual({ role: "assistant", content: "", thinking: "wh" });
    // It is continued.
    const { pieces, ...texts } = await read(chat.continueLast(greedy));
    expect(texts).toEqual({ thinking: "y", content: "So." });
    expect(chat.messages).toEqual([
      { role: "user", content: "Hi" },
      { role: "assistant", ...why },
    ]);
    const prompt = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\nwh";
    expect(pieces.at(-1)?.usage?.promptTokens).toBe(
      tokenizer.encode(prompt, { addSpecial: false, parseSpecial: true }).length,
    );
  });

  it("continues an answer, with its thought", async () => {
    using chat = model.chat();
    const cut = { role: "assistant", content: "S", thinking: "hm" } as const;
    chat.restart([{ role: "user", content: "Hi" }, cut]);
    const { pieces, ...texts } = await read(chat.continueLast(greedy));
    expect(texts).toEqual({ thinking: "", content: "o." });
    expect(chat.messages.at(-1)).toEqual({ ...cut, content: "So." });
    const prompt = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\nhm\n</think>\n\nS";
    expect(pieces.at(-1)?.usage?.promptTokens).toBe(
      tokenizer.encode(prompt, { addSpecial: false, parseSpecial: true }).length,
    );
  });

  it.each<[readonly ChatMessage[], SendOptions, RegExp]>([
    [[], {}, /not the assistant's/],
    [[{ role: "user", content: "Hi" }], {}, /not the assistant's/],
    [[{ role: "assistant", content: "<think>hm" }], {}, /unfinished thought/],
    [[{ role: "assistant", content: "", thinking: "w" }], { thinking: false }, /switched off/],
  ])("refuses to continue %j", async (messages, options, message) => {
    using chat = model.chat();
    chat.restart(messages);
    await expect(read(chat.continueLast(options))).rejects.toThrow(invalid(message));
    expect(chat.messages).toEqual(messages);
  });

  it("refuses variables that templates have or that JSON cannot hold, and contradictions", async () => {
    for (const name of ["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"])
      expect(() => model.chat({ templateVariables: { [name]: 1 } })).toThrow(invalid(/templates are always/));
    expect(() => model.chat({ templateVariables: { f: () => 1 } })).toThrow(invalid(/JSON/));
    expect(() => model.chat({ thinking: true, templateVariables: { enable_thinking: false } })).toThrow(
      invalid(/contrary/),
    );
    for (const wrong of [{ thinking: "no" }, { templateVariables: [] }, { templateVariables: "x" }] as const)
      expect(() => model.chat(wrong as object)).toThrow(invalid(/Invalid/));
    using chat = model.chat();
    await expect(ask(chat, { templateVariables: { messages: [] } })).rejects.toThrow(invalid(/always/));
    const none = null as unknown as SendOptions;
    await expect(read(chat.send("Hi", none))).rejects.toThrow(invalid(/Invalid options/));
  });

  it("has no thoughts outside of chats", async () => {
    expect(await model.complete("\n", greedy)).toBe("<think>why</think>\n\nSo.");
    await expect(model.complete("\n", { maxThinkingTokens: 1 })).rejects.toThrow(
      invalid(/outside of a chat/),
    );
  });
});

describe("a chat with other models", () => {
  it("begins inside the thought that a template has opened", async () => {
    const { bytes } = await makeThinkingModel({ chatTemplate: openTemplate });
    await using model = await loadModel(bytes, { threads: 1 });
    using chat = model.chat();
    const { pieces, ...texts } = await ask(chat);
    expect(texts).toEqual(why);
    expect(pieces.at(-1)?.usage).toMatchObject({ generatedTokens: 9, thinkingTokens: 5 });
    expect(await ask(chat, { maxThinkingTokens: 0 })).toMatchObject({ thinking: "", content: "So." });
    expect(await ask(chat, { jsonSchema: { const: 1 } })).toMatchObject({ thinking: "why", content: "1" });
    expect(() => model.chat({ thinking: false })).toThrow(invalid(/always thinks/));
    model.chat({ thinking: true }).dispose();
  });

  it("reads tags that are control tokens", async () => {
    const { bytes } = await makeThinkingModel({ tags: "control" });
    await using model = await loadModel(bytes, { threads: 1 });
    using chat = model.chat();
    expect(await ask(chat)).toMatchObject(why);
    expect(await ask(chat, { maxThinkingTokens: 1 })).toMatchObject({ thinking: "w", content: "So." });
    expect(await ask(chat, { jsonSchema: { const: 1 } })).toMatchObject({ thinking: "why", content: "1" });
  });

  it("switches nothing where there are no thoughts", async () => {
    await using model = await loadModel(undefined, { threads: 1 });
    expect(() => model.chat({ thinking: true })).toThrow(invalid(/does not support thinking/));
    model.chat({ thinking: false }).dispose();
    using chat = model.chat({ templateVariables: { enable_thinking: true } });
    const { pieces, thinking } = await ask(chat, { maxTokens: 2, maxThinkingTokens: 0 });
    expect(thinking).toBe("");
    expect(pieces.at(-1)?.usage).not.toHaveProperty("thinkingTokens");
  });
});

describe("the writer of an answer with a thought", () => {
  /** A vocabulary in which the tags are several tokens, one of which goes on after the tag. */
  const tokenizer = createTokenizer(byteVocabulary([], { userDefined: [">So", "</"] }));
  const idsOf = (text: string): number[] => tokenizer.encode(text, { addSpecial: false });

  /** The pieces of a model that always wants these tokens, one after another. */
  function write(text: string, options: InnerGenerateOptions = {}): Answer & { readonly ends: boolean } {
    const thoughts = { tags: thinkTags, begin: "before" } as const;
    const resolved = resolveGenerateOptions({ temperature: 0, thoughts, ...options });
    const writer = createTextWriter(tokenizer, [0], resolved);
    const pieces: GeneratedPiece[] = [];
    for (const id of idsOf(text)) {
      const values = new Float32Array(tokenizer.vocabSize);
      values[id] = 1;
      const written = writer.write({ values }, { isFull: false });
      pieces.push(...written.pieces);
      if (written.then === "ended") return { ...apart(pieces), ends: true };
    }
    return { ...apart(pieces), ends: false };
  }

  it("splits a token between the thought and the answer", () => {
    const text = "<think>why</think>So!";
    const maxTokens = idsOf(text).length;
    expect(idsOf(text).map((id) => tokenizer.decode([id]))).toContain(">So");
    expect(write(text, { maxTokens })).toMatchObject({ thinking: "why", content: "So!", ends: true });
    const { pieces, ...texts } = write(text, { maxTokens: maxTokens - 1 });
    expect(texts).toEqual({ thinking: "why", content: "So", ends: true });
    expect(pieces).toHaveLength(maxTokens - 1);
  });

  it("lets no token lead past the end of a thought into a text against the grammar", () => {
    const jsonSchema = { const: 1 };
    // ">So" is refused there, so that the likeliest other token follows: the first of the vocabulary.
    const { thinking, content } = write("<think>why</think>So", { jsonSchema });
    expect(content).toBe("");
    expect(thinking).toMatch(/^why<\/think./);
    expect(write("<think>a>So</think>1", { jsonSchema })).toMatchObject({
      thinking: "a>So",
      content: "1",
      ends: true,
    });
    expect(write("1", { jsonSchema })).toMatchObject({ thinking: "", content: "1", ends: true });
  });

  it("allows the grammar or the tag, and both while both are possible", () => {
    const jsonSchema = { const: 1 };
    // A tag that is given up would fit nothing, so it is not given up.
    expect(write("<thxxk>a</think>1", { jsonSchema }).thinking).toBe("a");
  });

  it("lets a thought that a grammar follows end by its tag only", () => {
    const [end] = [...tokenizer.endOfGenerationIds];
    expect(end).toBeDefined();
    const thoughts = { tags: thinkTags, begin: "thinking" } as const;
    const resolved = resolveGenerateOptions({ temperature: 0, thoughts, jsonSchema: { const: 1 } });
    const writer = createTextWriter(tokenizer, [0], resolved);
    const values = new Float32Array(tokenizer.vocabSize);
    values[end ?? 0] = 1;
    const { tokenId, then } = writer.write({ values }, { isFull: false });
    expect([tokenId === end, then]).toEqual([false, "more"]);
  });
});
