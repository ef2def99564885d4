import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embedMany, generateText, type ModelMessage, Output, streamText } from "ai";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import type { LanguageModel } from "#dist/index.js";
import { openServer, type OpenServer, until } from "./open-server.js";
import { endless, loadPatientModel, patientContext } from "./patient-model.js";

const apiKey = "a-key";
const messages: ModelMessage[] = [
  { role: "system", content: "Be brief." },
  { role: "user", content: [{ type: "text", text: "Once upon a time" }] },
];
/** All of its values are short. */
const animal = z.object({ kind: z.enum(["fox", "king"]), legs: z.int().min(0).max(8), tame: z.boolean() });
let model: LanguageModel;
let server: OpenServer;
let provider: ReturnType<typeof createOpenAICompatible>;
let expected = "";
beforeAll(async () => {
  model = await loadPatientModel();
  server = await openServer(model, { apiKey });
  provider = createOpenAICompatible({
    name: "bitnet",
    baseURL: `${server.url}/v1`,
    apiKey,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  using chat = model.chat({ system: "Be brief." });
  for await (const piece of chat.send("Once upon a time", { maxTokens: 12, temperature: 0 }))
    expected += piece.text;
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

const request = {
  messages,
  temperature: 0,
  maxOutputTokens: 12,
  maxRetries: 0,
  allowSystemInMessages: true,
} as const;

it("generateText gets the library's text and its usage", async () => {
  const { text, finishReason, usage } = await generateText({ ...request, model: provider("any") });
  expect({ text, finishReason, output: usage.outputTokens }).toEqual({
    text: expected,
    finishReason: "length",
    output: 12,
  });
});

it("streamText streams it", async () => {
  const result = streamText({ ...request, model: provider("any") });
  const parts: string[] = [];
  for await (const part of result.textStream) parts.push(part);
  expect(parts.join("")).toBe(expected);
  expect(parts.length).toBeGreaterThan(6);
  expect((await result.usage).outputTokens).toBe(12);
  expect(await result.finishReason).toBe("length");
});

it("an aborted request frees its slot, streamed or whole", async () => {
  for (const streaming of [true, false]) {
    const before = server.server.stats.generatedTokens;
    const controller = new AbortController();
    const long = {
      model: provider("any"),
      messages,
      maxRetries: 0,
      allowSystemInMessages: true,
      abortSignal: controller.signal,
      providerOptions: { bitnet: { logit_bias: endless(model) } },
    };
    const reading = async (): Promise<string> => {
      if (!streaming) return (await generateText(long)).text;
      let text = "";
      // The SDK ends an aborted stream without an error.
      for await (const part of streamText(long).textStream) {
        text += part;
        controller.abort();
      }
      return text;
    };
    const read = reading();
    read.catch(() => undefined);
    await until(() => server.server.stats.generatedTokens > before);
    controller.abort();
    if (streaming) await read;
    else await expect(read).rejects.toThrow(/abort/i);
    await until(() => server.server.stats.active === 0);
    expect(server.server.stats.generatedTokens - before).toBeLessThan(patientContext / 2);
  }
});

it("an object by a schema fits it for any model", async () => {
  const { output } = await generateText({
    ...request,
    maxOutputTokens: 100,
    model: provider("any"),
    output: Output.object({ schema: animal }),
  });
  expect(animal.parse(output)).toEqual(output);
});

it("embedMany gets the library's vectors", async () => {
  const values = ["A fox.", "A king."];
  const { embeddings } = await embedMany({ model: provider.embeddingModel("any"), values });
  expect(embeddings.map((vector) => Float32Array.from(vector))).toEqual(await model.embed(values));
});

it("a refusal arrives with its status and its message", async () => {
  const failed = generateText({ ...request, temperature: 9, model: provider("any") });
  await expect(failed).rejects.toSatisfy(
    (error) =>
      APICallError.isInstance(error) && error.statusCode === 400 && error.message.includes("temperature"),
  );
});
