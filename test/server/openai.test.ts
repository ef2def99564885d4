import OpenAI, { APIError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createServer, type LanguageModel, loadModel } from "#dist/index.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { openServer, type OpenServer, until } from "./open-server.js";

let model: LanguageModel;
let server: OpenServer;
let client: OpenAI;
const greedy = { model: "any", temperature: 0, max_tokens: 12 } as const;
const chat = {
  ...greedy,
  messages: [{ role: "user" as const, content: "Once upon a time" }],
};
/** A text that fills the context: long enough to be interrupted. */
const long = { model: "any", prompt: "Once upon a time", logit_bias: {} as Record<string, number> };

beforeAll(async () => {
  model = await loadModel(undefined, { threads: 1 });
  server = await openServer(model, { parallel: 2, queueLimit: 1, maxBodyBytes: 100_000 });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  // Without an end, a text goes on until it is stopped.
  const { tokenizer } = internalsOf(model);
  for (const id of tokenizer.endOfGenerationIds) long.logit_bias[String(id)] = -100;
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

async function failure(promise: PromiseLike<unknown>): Promise<APIError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof APIError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

describe("completions", () => {
  it("equal the library's text", async () => {
    const expected = await model.complete("Once upon a time", { maxTokens: 12, temperature: 0 });
    const { choices, usage, object } = await client.completions.create({
      ...greedy,
      prompt: "Once upon a time",
    });
    expect(choices).toMatchObject([{ index: 0, text: expected, finish_reason: "length" }]);
    const promptTokens = model.tokenize("Once upon a time").length;
    expect(usage).toEqual({
      prompt_tokens: promptTokens,
      completion_tokens: 12,
      total_tokens: promptTokens + 12,
    });
    expect(object).toBe("text_completion");
  });

  it("stream the same text", async () => {
    const expected = await model.complete("Once upon a time", { maxTokens: 12, temperature: 0 });
    let text = "";
    for await (const { choices } of await client.completions.create({
      ...greedy,
      prompt: "Once upon a time",
      stream: true,
    }))
      text += choices[0]?.text ?? "";
    expect(text).toBe(expected);
  });

  it("take several prompts, token ids, and stop strings", async () => {
    const ids = model.tokenize("The king");
    const { choices } = await client.completions.create({ ...greedy, prompt: [ids], stop: [" "], n: 2 });
    const expected = await model.complete("The king", { maxTokens: 12, temperature: 0, stop: " " });
    expect(choices.map(({ text }) => text)).toEqual([expected, expected]);
  });

  it("differ among n by seed, and the same seed repeats them", async () => {
    const ask = async (): Promise<string[]> => {
      const { choices } = await client.completions.create({
        ...greedy,
        temperature: 1.5,
        prompt: "A",
        n: 2,
        seed: 5,
      });
      return choices.map(({ text }) => text);
    };
    const texts = await ask();
    expect(new Set(texts).size).toBe(2);
    expect(await ask()).toEqual(texts);
  });

  it("are the same alone and beside other requests", async () => {
    const options = { ...greedy, max_tokens: 24, temperature: 0.9, seed: 3 };
    const ask = async (prompt: string): Promise<string | undefined> =>
      (await client.completions.create({ ...options, prompt })).choices[0]?.text;
    const prompts = ["Once upon a time", "The fox", "A king"];
    const alone: (string | undefined)[] = [];
    for (const prompt of prompts) alone.push(await ask(prompt));
    expect(await Promise.all(prompts.map(ask))).toEqual(alone);
  });

  it("end at the context length by default", async () => {
    const prompt = model
      .tokenize("the ".repeat(model.info.contextLength))
      .slice(0, model.info.contextLength - 4);
    const { choices, usage } = await client.completions.create({ ...long, prompt });
    expect(choices[0]?.finish_reason).toBe("length");
    expect(usage?.total_tokens).toBe(model.info.contextLength + 1);
  });
});

describe("chat completions", () => {
  it("stream the same text as a whole response, with usage at the end", async () => {
    const whole = await client.chat.completions.create(chat);
    expect(whole.choices[0]?.message.role).toBe("assistant");
    let text = "";
    let last: OpenAI.ChatCompletionChunk | undefined;
    const reasons: (string | null)[] = [];
    for await (const chunk of await client.chat.completions.create({
      ...chat,
      stream: true,
      stream_options: { include_usage: true },
    })) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
      last = chunk;
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(last).toMatchObject({ choices: [], usage: whole.usage });
    expect(reasons).toEqual([whole.choices[0]?.finish_reason]);
  });

  it("equal the answer of model.chat", async () => {
    using conversation = model.chat({ system: "Be brief." });
    let expected = "";
    for await (const piece of conversation.send("Hello", { maxTokens: 12, temperature: 0 }))
      expected += piece.text;
    const { choices } = await client.chat.completions.create({
      ...greedy,
      messages: [
        { role: "developer", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "Hel" },
            { type: "text", text: "lo" },
          ],
        },
      ],
    });
    expect(choices[0]?.message.content).toBe(expected);
  });

  it("end a stream with [DONE]", async () => {
    const response = await server.post("/v1/chat/completions", { ...chat, stream: true });
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(await response.text()).toMatch(/\ndata: \[DONE\]\n\n$/);
  });
});

describe("models", () => {
  it("are listed, found and missed", async () => {
    const [found] = (await client.models.list()).data;
    expect(found).toMatchObject({ object: "model", owned_by: "bitnet-wasm" });
    expect(await client.models.retrieve(found?.id ?? "")).toEqual(found);
    expect(await failure(client.models.retrieve("gpt-9"))).toMatchObject({
      status: 404,
      code: "model_not_found",
    });
  });
});

describe("a bad request", () => {
  it.each([
    ["{", null],
    ["[]", null],
    [{ ...chat, messages: [] }, "messages"],
    [{ ...chat, messages: [{ role: "tool", content: "x" }] }, "messages.0.role"],
    [
      { ...chat, messages: [{ role: "user", content: [{ type: "image_url" }] }] },
      "messages.0.content.0.type",
    ],
    [{ ...chat, temperature: -1 }, "temperature"],
    [{ ...chat, max_tokens: 1.5 }, "max_tokens"],
    [{ ...chat, n: 4 }, "n"],
    [{ ...chat, tools: [{}] }, "tools.0.type"],
    [{ ...chat, response_format: { type: "yaml" } }, "response_format.type"],
    [{ ...chat, top_logprobs: 3 }, "top_logprobs"],
  ])("%j is refused by name", async (body, param) => {
    const response = await server.post("/v1/chat/completions", body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", param } });
  });

  it("may have nulls and unknown fields", async () => {
    const response = await server.post("/v1/chat/completions", { ...chat, tools: [], seed: null, user: "x" });
    expect(response.status).toBe(200);
  });

  it("is refused if the context is full", async () => {
    const prompt = "word ".repeat(model.info.contextLength + 1);
    expect(await failure(client.completions.create({ ...greedy, prompt }))).toMatchObject({
      status: 400,
      code: "context_length_exceeded",
    });
  });

  it("is refused if it is too long", async () => {
    const error = await failure(client.completions.create({ ...greedy, prompt: "x".repeat(100_001) }));
    expect(error).toMatchObject({ status: 413, code: "body_too_long" });
  });

  it("is refused for an unknown path", async () => {
    expect((await server.post("/v1/nothing", {})).status).toBe(404);
  });
});

describe("a full server", () => {
  it("answers 429, and accepts requests again after a client leaves", async () => {
    const clients = Array.from({ length: 3 }, () => new AbortController());
    const streams = clients.map(({ signal }) =>
      client.completions.create({ ...long, stream: true }, { signal }),
    );
    streams.forEach((stream) => void stream.catch(() => undefined));
    // The third waits for a slot.
    await Promise.all(streams.slice(0, 2));
    const response = await server.post("/v1/completions", { ...greedy, prompt: "A" });
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({ error: { code: "queue_full" } });
    for (const each of clients) each.abort();
    await until(
      async () => (await server.post("/v1/completions", { ...greedy, prompt: "A" })).status === 200,
    );
    expect(server.server.stats).toMatchObject({ active: 0, queued: 0 });
  });

  it("drops a client that leaves before its whole text is complete", async () => {
    const leaving = new AbortController();
    const request = client.completions.create(long, { signal: leaving.signal });
    await until(() => server.server.stats.active === 1);
    leaving.abort();
    await expect(request).rejects.toThrow();
    await until(() => server.server.stats.active === 0);
  });
});

describe("createServer", () => {
  it("mounts by its fetch alone, and refuses requests after disposal", async () => {
    const mounted = createServer(model, { modelName: "mine" });
    const listed = await mounted.fetch(new Request("http://localhost/v1/models"));
    expect(await listed.json()).toMatchObject({ data: [{ id: "mine" }] });
    await mounted.dispose();
    const late = await mounted.fetch(
      new Request("http://localhost/v1/completions", {
        method: "POST",
        body: JSON.stringify({ prompt: "A" }),
      }),
    );
    expect(late.status).toBe(503);
  });
});
