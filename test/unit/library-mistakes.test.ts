import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { convert, type ConvertOptions, createServer, type LanguageModel, loadModel } from "#dist/index.js";
import { starterPath } from "../support/golden-path.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(starterPath, { threads: 1 });
});
afterAll(() => model.dispose());

const invalid = (message: RegExp): object => ({
  code: "INVALID_ARGUMENT",
  message: expect.stringMatching(message),
});

it("an ArrayBuffer is a model's bytes", async () => {
  const { buffer, byteOffset, length } = await readFile(starterPath);
  const bytes = buffer.slice(byteOffset, byteOffset + length);
  await using fromBytes = await loadModel(bytes, { threads: 1 });
  const options = { maxTokens: 4, temperature: 0 };
  expect(await fromBytes.complete("Once", options)).toBe(await model.complete("Once", options));
});

it("a model that was not awaited is named as a promise", async () => {
  const promise = loadModel(starterPath, { threads: 1 });
  expect(() => createServer(promise as unknown as LanguageModel)).toThrow(/it is a promise: await it/);
  await (await promise).dispose();
});

it("messages for a prompt are sent to chat", async () => {
  const messages = [{ role: "user", content: "Hi" }] as unknown as string;
  await expect(model.complete(messages)).rejects.toMatchObject(invalid(/model\.chat\(\) takes messages/));
});

it("a zod schema is told from a JSON Schema", async () => {
  const { z } = await import("zod");
  const jsonSchema = z.object({ a: z.number() }) as unknown as object;
  await expect(model.complete("x", { jsonSchema })).rejects.toMatchObject(
    invalid(/z\.toJSONSchema\(schema\)/),
  );
});

it.each([undefined, {}, { output: 3 }])("convert with the options %j asks for an output", async (options) => {
  await expect(convert(starterPath, options as unknown as ConvertOptions)).rejects.toMatchObject(
    invalid(/without an output/),
  );
});
