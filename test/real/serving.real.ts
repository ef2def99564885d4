import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OpenCli, openCliServer } from "./cli-server.js";
import { realModelPath } from "./settings.js";

const path = realModelPath("smollm2");

describe.runIf(path)("bitnet serve with SmolLM2", () => {
  let server: OpenCli;
  let client: OpenAI;

  beforeAll(async () => {
    server = await openCliServer([path ?? ""]);
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  });
  afterAll(async () => {
    expect(await server.close()).toBe(0);
  });

  const question = {
    model: "smollm2",
    temperature: 0,
    max_tokens: 48,
    messages: [{ role: "user" as const, content: "Name the capital of France." }],
  };

  it("answers, and streams the same answer", async () => {
    const whole = await client.chat.completions.create(question);
    expect(whole.choices[0]?.message.content).toMatch(/Paris/);
    expect(whole.choices[0]?.finish_reason).toBe("stop");
    let text = "";
    for await (const { choices } of await client.chat.completions.create({ ...question, stream: true }))
      text += choices[0]?.delta.content ?? "";
    expect(text).toBe(whole.choices[0]?.message.content);
  });

  it("answers by a JSON schema", async () => {
    const schema = {
      type: "object",
      properties: { city: { type: "string", maxLength: 30 }, country: { type: "string", maxLength: 30 } },
      required: ["city", "country"],
      additionalProperties: false,
    };
    const { choices } = await client.chat.completions.create({
      ...question,
      messages: [{ role: "user", content: "Name the capital of France and its country as JSON." }],
      response_format: { type: "json_schema", json_schema: { name: "capital", strict: true, schema } },
    });
    const found = JSON.parse(choices[0]?.message.content ?? "") as unknown;
    expect(found).toEqual({ city: "Paris", country: expect.stringMatching(/^France$/i) as string });
  });

  it("refuses tools, because the model's template has no place for them", async () => {
    const asked = client.chat.completions.create({
      ...question,
      messages: [{ role: "user", content: "What is the weather in Paris?" }],
      tools: [
        {
          type: "function",
          function: {
            name: "get_weather",
            description: "Current weather of a city",
            parameters: {
              type: "object",
              properties: { city: { type: "string", maxLength: 30 } },
              required: ["city"],
              additionalProperties: false,
            },
          },
        },
      ],
      tool_choice: { type: "function", function: { name: "get_weather" } },
    });
    await expect(asked).rejects.toThrow(/400 This model cannot be told of tools/);
  });

  it("embeds", async () => {
    const { data } = await client.embeddings.create({ model: "smollm2", input: ["a cat", "a dog"] });
    expect(data.map(({ embedding }) => embedding.length)).toEqual([576, 576]);
  });
});
