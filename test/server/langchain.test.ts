import type { AIMessageChunk } from "@langchain/core/messages";
import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { ChatOpenAI, OpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import type { LanguageModel } from "#dist/index.js";
import { openServer, type OpenServer, until } from "./open-server.js";
import { endless, loadPatientModel, patientContext } from "./patient-model.js";

const apiKey = "a-key";
const messages = [new SystemMessage("Be brief."), new HumanMessage("Once upon a time")];
let model: LanguageModel;
let server: OpenServer;
let expected = "";
beforeAll(async () => {
  model = await loadPatientModel();
  server = await openServer(model, { apiKey });
  using chat = model.chat({ system: "Be brief." });
  for await (const piece of chat.send("Once upon a time", { maxTokens: 12, temperature: 0 }))
    expected += piece.text;
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

function settings(): {
  model: string;
  apiKey: string;
  maxRetries: number;
  configuration: { baseURL: string };
} {
  return { model: "any", apiKey, maxRetries: 0, configuration: { baseURL: `${server.url}/v1` } };
}

const langchain = (
  options: { maxTokens?: number; temperature?: number; modelKwargs?: object } = {},
): ChatOpenAI => new ChatOpenAI({ ...settings(), temperature: 0, ...options });

it("ChatOpenAI gets the library's text and its usage", async () => {
  const answer = await langchain({ maxTokens: 12 }).invoke(messages);
  expect(answer.text).toBe(expected);
  expect(answer.usage_metadata).toMatchObject({ output_tokens: 12 });
  expect(answer.response_metadata.finish_reason).toBe("length");
});

it("ChatOpenAI streams it", async () => {
  let whole: AIMessageChunk | undefined;
  let count = 0;
  for await (const chunk of await langchain({ maxTokens: 12 }).stream(messages)) {
    whole = whole === undefined ? chunk : whole.concat(chunk);
    count += 1;
  }
  expect(whole?.text).toBe(expected);
  expect(whole?.usage_metadata).toMatchObject({ output_tokens: 12 });
  expect(count).toBeGreaterThan(6);
});

it("ChatOpenAI frees its slot when it is aborted, streamed or whole", async () => {
  for (const streaming of [true, false]) {
    const before = server.server.stats.generatedTokens;
    const controller = new AbortController();
    const chat = langchain({ modelKwargs: { logit_bias: endless(model) } });
    const reading = async (): Promise<void> => {
      const options = { signal: controller.signal };
      if (!streaming) await chat.invoke(messages, options);
      else for await (const chunk of await chat.stream(messages, options)) if (chunk.text) controller.abort();
    };
    const read = reading();
    read.catch(() => undefined);
    await until(() => server.server.stats.generatedTokens > before);
    controller.abort();
    await expect(read).rejects.toThrow(/abort/i);
    await until(() => server.server.stats.active === 0);
    expect(server.server.stats.generatedTokens - before).toBeLessThan(patientContext / 2);
  }
});

it("withStructuredOutput gets an object by its schema for any model", async () => {
  const animal = z.object({ kind: z.enum(["fox", "king"]), legs: z.int().min(0).max(8), tame: z.boolean() });
  const structured = langchain({ maxTokens: 100 }).withStructuredOutput(animal, { method: "jsonSchema" });
  const output = await structured.invoke(messages);
  expect(animal.parse(output)).toEqual(output);
});

it("OpenAI, for texts without a chat, gets and streams the library's text", async () => {
  const text = await model.complete("The fox", { maxTokens: 8, temperature: 0 });
  const plain = new OpenAI({ ...settings(), model: "gpt-3.5-turbo-instruct", temperature: 0, maxTokens: 8 });
  expect(await plain.invoke("The fox")).toBe(text);
  let streamed = "";
  for await (const chunk of await plain.stream("The fox")) streamed += chunk;
  expect(streamed).toBe(text);
});

it("OpenAIEmbeddings gets the library's vectors", async () => {
  const texts = ["A fox.", "A king."];
  const vectors = await new OpenAIEmbeddings(settings()).embedDocuments(texts);
  expect(vectors.map((vector) => Float32Array.from(vector))).toEqual(await model.embed(texts));
});

it("a refusal arrives with its status and its message", async () => {
  await expect(langchain({ temperature: 9 }).invoke(messages)).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining("temperature") as string,
  });
});
