import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { openServer, type OpenServer } from "./open-server.js";

let model: LanguageModel;
let server: OpenServer;
let client: OpenAI;
let ollama: Ollama;

beforeAll(async () => {
  model = await loadModel(undefined, { threads: 2 });
  server = await openServer(model, { parallel: 4, queueLimit: 300 });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  ollama = new Ollama({ host: server.url });
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

const ajv = new Ajv2020({ strict: false, ownProperties: true });
formats.default(ajv);
const name = { type: "string", minLength: 1, maxLength: 10 };
/** Ten schemas. All of their values fit the storyteller's 256 tokens. */
const schemas: readonly Record<string, unknown>[] = [
  {
    type: "object",
    properties: { name, age: { type: "integer", minimum: 0, maximum: 120 } },
    required: ["name", "age"],
    additionalProperties: false,
  },
  { type: "array", items: { enum: ["fox", "king", "north wind"] }, minItems: 2, maxItems: 5 },
  {
    type: "object",
    properties: { title: name, tags: { type: "array", items: name, maxItems: 3 }, done: { type: "boolean" } },
    required: ["tags"],
  },
  {
    anyOf: [
      {
        type: "object",
        properties: { kind: { const: "a" }, n: { type: "number", minimum: 0, maximum: 1 } },
        required: ["kind", "n"],
      },
      { type: "null" },
    ],
  },
  { type: "string", pattern: "^[A-Z][a-z]{2,7} the (First|Second)$" },
  {
    type: "object",
    properties: { at: { type: "string", format: "date-time" }, id: { type: "string", format: "uuid" } },
    required: ["at", "id"],
  },
  {
    type: "array",
    prefixItems: [{ type: "integer", exclusiveMinimum: -3 }, { type: "boolean" }, name],
    items: false,
    minItems: 3,
  },
  { type: "number", exclusiveMinimum: -2.5, maximum: 7.125 },
  {
    $defs: {
      point: {
        type: "object",
        properties: { x: { type: "integer" }, y: { type: "integer" } },
        required: ["x", "y"],
      },
    },
    type: "object",
    properties: { from: { $ref: "#/$defs/point" }, to: { $ref: "#/$defs/point" } },
    required: ["from", "to"],
  },
  {
    oneOf: [
      { type: "integer", minimum: 10, maximum: 99 },
      { type: "string", maxLength: 4 },
      { type: "array", maxItems: 0 },
    ],
  },
];

/** OpenAI calls its seed deprecated. */
const drawn = (seed: number): object => ({ seed, temperature: 1 + (seed % 3) / 4 });

const schemaAt = (index: number): Record<string, unknown> => schemas[index % schemas.length] ?? {};

/** Words in any order, without any relation to JSON. */
function prompt(seed: number): string {
  const words = "once upon a time there was king who had three sons the fox and crow said he would go".split(
    " ",
  );
  return Array.from(
    { length: 3 + (seed % 9) },
    (_, index) => words[(seed * 7 + index * (seed + 3)) % words.length],
  ).join(" ");
}

describe("response_format", () => {
  it("json_schema gives valid JSON: 200 prompts, ten schemas, many at a time", async () => {
    const validators = schemas.map((schema) => ajv.compile(schema));
    const texts = await Promise.all(
      Array.from({ length: 200 }, async (_, seed) => {
        const { choices } = await client.chat.completions.create({
          model: "any",
          messages: [{ role: "user", content: prompt(seed) }],
          ...drawn(seed),
          response_format: {
            type: "json_schema",
            json_schema: { name: "answer", schema: schemaAt(seed), strict: true },
          },
        });
        return { text: choices[0]?.message.content ?? "", reason: choices[0]?.finish_reason };
      }),
    );
    for (const [seed, { text, reason }] of texts.entries()) {
      expect(reason, text).toBe("stop");
      const valid = validators[seed % schemas.length]?.(JSON.parse(text));
      expect(valid, `${text} under ${JSON.stringify(schemaAt(seed))}`).toBe(true);
    }
  }, 300_000);

  it("json_object is a complete object, or cut at the maximum length", async () => {
    const ended: unknown[] = [];
    for (let seed = 0; seed < 12; seed += 1) {
      const { choices } = await client.completions.create({
        model: "any",
        prompt: prompt(seed),
        seed,
        max_tokens: 200,
        logit_bias: Object.fromEntries(
          model.tokenize("}", { addSpecial: false }).map((id) => [String(id), 6]),
        ),
        ...{ response_format: { type: "json_object" } },
      });
      const [choice] = choices;
      if (choice?.finish_reason === "length") expect(() => JSON.parse(choice.text) as unknown).toThrow();
      else ended.push(JSON.parse(choice?.text ?? ""));
    }
    expect(ended.length).toBeGreaterThan(0);
    for (const value of ended) expect(typeof value === "object" && !Array.isArray(value)).toBe(true);
  });

  it("works with streams, n, stop strings and log-probabilities, and gives the same text alone", async () => {
    const request = {
      model: "any",
      messages: [{ role: "user" as const, content: "A king" }],
      seed: 4,
      // The storyteller's own is low, and both texts can be the same.
      temperature: 1,
      n: 2,
      logprobs: true,
      response_format: { type: "json_schema" as const, json_schema: { name: "x", schema: schemaAt(0) } },
    };
    const whole = await client.chat.completions.create(request);
    const texts = ["", ""];
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
      const [choice] = chunk.choices;
      if (choice !== undefined)
        texts[choice.index] = (texts[choice.index] ?? "") + (choice.delta.content ?? "");
    }
    expect(texts).toEqual(whole.choices.map(({ message }) => message.content));
    expect(texts[0]).not.toBe(texts[1]);
    for (const { logprobs, message } of whole.choices)
      expect(logprobs?.content?.map(({ token }) => token).join("")).toBe(message.content);
    const stopped = await client.chat.completions.create({ ...request, n: 1, stop: '"age"' });
    expect(texts[0]?.startsWith(stopped.choices[0]?.message.content ?? "?")).toBe(true);
    expect(stopped.choices[0]?.message.content).not.toContain("age");
  });

  it.each([
    { type: "json_schema" },
    {
      type: "json_schema",
      json_schema: { name: "x", schema: { type: "array", uniqueItems: true } },
    },
    { type: "json_schema", json_schema: { name: "x", schema: { enum: [] } } },
  ])("is refused where it cannot be kept to: %j", async (format) => {
    const response = await server.post("/v1/chat/completions", {
      messages: [{ role: "user", content: "x" }],
      response_format: format,
    });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { param: string; message: string } };
    expect(error.param).toMatch(/^response_format/);
    expect(error.message).toMatch(/uniqueItems|no text|expected/);
  });
});

describe("Ollama's format", () => {
  it("takes a schema, in both routes", async () => {
    const schema = schemaAt(0);
    const options = { seed: 3 };
    const generated = await ollama.generate({
      model: "any",
      prompt: "A king",
      format: schema,
      options,
    });
    expect(ajv.validate(schema, JSON.parse(generated.response ?? ""))).toBe(true);
    let text = "";
    const messages = [{ role: "user", content: "A fox" }];
    for await (const part of await ollama.chat({
      model: "any",
      messages,
      format: schema,
      options,
      stream: true,
    }))
      text += part.message.content;
    expect(ajv.validate(schema, JSON.parse(text))).toBe(true);
  });

  it("json begins an object, and anything else is refused", async () => {
    const { response } = await ollama.generate({
      model: "any",
      prompt: "A king",
      format: "json",
      options: { num_predict: 8 },
    });
    expect(response?.trimStart()).toMatch(/^\{/);
    await expect(ollama.generate({ model: "any", prompt: "A king", format: "yaml" })).rejects.toThrow(
      "format",
    );
  });
});

describe("the library", () => {
  it("takes jsonSchema, with the same text from a scheduler", async () => {
    const options = { jsonSchema: schemaAt(2), seed: 9, temperature: 1.2 };
    const text = await model.complete("The fox", options);
    expect(ajv.validate(schemaAt(2), JSON.parse(text))).toBe(true);
    await using scheduler = model.createScheduler();
    let same = "";
    for await (const piece of scheduler.generate("The fox", options)) same += piece.text;
    expect(same).toBe(text);
    // Without a grammar, greedy decoding takes other tokens.
    const greedy = await model.complete("The fox", {
      jsonSchema: schemaAt(1),
      temperature: 0,
      speculation: "prompt-lookup",
    });
    expect(ajv.validate(schemaAt(1), JSON.parse(greedy))).toBe(true);
  });
});
