import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { eventStream } from "#dist/server/openai/event-stream.js";
import { openServer, type OpenServer, until } from "./open-server.js";

let model: LanguageModel;
let server: OpenServer;
let client: OpenAI;
const ask = { model: "any", prompt: "Once upon a time", max_tokens: 6 };

beforeAll(async () => {
  model = await loadModel(undefined, { threads: 1 });
  server = await openServer(model, { parallel: 1, queueLimit: 3 });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

describe("logprobs", () => {
  it("of a chat are the likeliest tokens, the same in a stream", async () => {
    const request = {
      model: "any",
      messages: [{ role: "user" as const, content: "A king" }],
      temperature: 0,
      max_completion_tokens: 6,
      logprobs: true,
      top_logprobs: 3,
    };
    const { choices } = await client.chat.completions.create(request);
    const content = choices[0]?.logprobs?.content ?? [];
    expect(content).toHaveLength(6);
    expect(content.map(({ token }) => token).join("")).toBe(choices[0]?.message.content);
    for (const { token, logprob, bytes, top_logprobs: top } of content) {
      expect(Buffer.from(bytes ?? []).toString()).toBe(token);
      // Greedy decoding takes the likeliest token.
      expect(top.map((each) => each.logprob)).toEqual(top.map((each) => each.logprob).sort((a, b) => b - a));
      expect(top).toHaveLength(3);
      expect(top[0]).toMatchObject({ token, logprob });
      expect(top.reduce((sum, each) => sum + Math.exp(each.logprob), 0)).toBeLessThan(1 + 1e-6);
    }
    const streamed: unknown[] = [];
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true }))
      streamed.push(...(chunk.choices[0]?.logprobs?.content ?? []));
    expect(streamed).toEqual(content);
  });

  it("of a completion equal the library's, with offsets in the text", async () => {
    const { choices } = await client.completions.create({ ...ask, temperature: 0, logprobs: 2 });
    const { text, logprobs } = choices[0] ?? {};
    const expected: (number | undefined)[] = [];
    for await (const piece of model.generate(ask.prompt, { temperature: 0, maxTokens: 6, logprobs: true }))
      expected.push(piece.logprob);
    expect(logprobs?.token_logprobs).toEqual(expected);
    logprobs?.tokens?.forEach((token, index) => {
      const at = logprobs.text_offset?.[index] ?? -1;
      expect(text?.slice(at, at + token.length)).toBe(token);
    });
    expect(Object.keys(logprobs?.top_logprobs?.[0] ?? {})).toHaveLength(2);
    const none = await client.completions.create(ask);
    expect(none.choices[0]?.logprobs).toBeNull();
  });
});

describe("a seed", () => {
  it("may be any integer, each with a different text", async () => {
    const seeds = [0, 7, -7, -1, Number.MIN_SAFE_INTEGER];
    // The model's own settings leave few choices.
    const free = { ...ask, max_tokens: 12, temperature: 1.5, top_p: 1, min_p: 0 };
    const write = async (seed: number): Promise<string | undefined> =>
      (await client.completions.create({ ...free, seed })).choices[0]?.text;
    const texts: (string | undefined)[] = [];
    for (const seed of seeds) texts.push(await write(seed));
    expect(new Set(texts).size).toBe(seeds.length);
    expect(await write(-7)).toBe(texts[2]);
  });
});

describe("biases, penalties, limits", () => {
  it("forbid tokens, and all but one", async () => {
    const free = await client.completions.create({ ...ask, temperature: 0 });
    const ids = model.tokenize(free.choices[0]?.text ?? "", { addSpecial: false });
    const without = await client.completions.create({
      ...ask,
      temperature: 0,
      logit_bias: Object.fromEntries(ids.map((id) => [String(id), -100])),
    });
    const others = model.tokenize(without.choices[0]?.text ?? "", { addSpecial: false });
    expect(others.some((id) => ids.includes(id))).toBe(false);
    const only = await client.completions.create({ ...ask, logit_bias: { [String(ids[0])]: 100 } });
    expect(model.tokenize(only.choices[0]?.text ?? "", { addSpecial: false })).toEqual(Array(6).fill(ids[0]));
  });

  it("penalize earlier tokens like the library", async () => {
    const { choices } = await client.completions.create({
      ...ask,
      max_tokens: 60,
      temperature: 0,
      frequency_penalty: 2,
      presence_penalty: 2,
    });
    const options = { temperature: 0, maxTokens: 60, frequencyPenalty: 2, presencePenalty: 2 };
    const expected = await model.complete(ask.prompt, options);
    expect(choices[0]?.text).toBe(expected);
    expect(expected).not.toBe(await model.complete(ask.prompt, { temperature: 0, maxTokens: 60 }));
  });

  it("count the newer name of max_tokens, and stop at the first of several stop strings", async () => {
    const { choices, usage } = await client.chat.completions.create({
      model: "any",
      messages: [{ role: "user", content: "A king" }],
      max_completion_tokens: 3,
      n: 2,
    });
    expect(choices.map((choice) => choice.finish_reason)).toEqual(["length", "length"]);
    expect(usage?.completion_tokens).toBe(6);
    const text = await model.complete(ask.prompt, { temperature: 0, maxTokens: 30 });
    const stop = [text.slice(20, 23), text.slice(10, 13)];
    const stopped = await client.completions.create({ ...ask, max_tokens: 30, temperature: 0, stop });
    const first = Math.min(...stop.map((each) => text.indexOf(each)));
    expect(stopped.choices[0]).toMatchObject({ text: text.slice(0, first), finish_reason: "stop" });
  });
});

describe("a stream", () => {
  it("begins while its text still waits for a slot", async () => {
    const busy = await server.post("/v1/completions", { prompt: "A", stream: true, max_tokens: 255 });
    await until(() => server.server.stats.active === 1);
    const waiting = await server.post("/v1/chat/completions", {
      messages: [{ role: "user", content: "A" }],
      stream: true,
      max_tokens: 1,
    });
    expect(waiting.status).toBe(200);
    const ollama = await server.post("/api/generate", { prompt: "A", options: { num_predict: 1 } });
    expect(ollama.status).toBe(200);
    // Both responses began while the first text had the only slot, unless it was very quick.
    const { requests, queued } = server.server.stats;
    expect(requests + queued).toBeGreaterThan(queued);
    await Promise.all([busy.text(), waiting.text(), ollama.text()]);
    await until(() => server.server.stats.queued + server.server.stats.active === 0);
  });

  it("sends keep-alives in a pause, and otherwise only generated text", async () => {
    async function* objects(): AsyncGenerator<object, void, void> {
      yield { a: 1 };
      await new Promise((resolve) => setTimeout(resolve, 80));
      yield { b: 2 };
    }
    const work = {
      timedOut: new AbortController().signal,
      leave: (): void => undefined,
      stallTimeoutMs: 1000,
    };
    const text = await eventStream(objects(), work, 10).text();
    expect(text.replaceAll(": waiting\n\n", "")).toBe('data: {"a":1}\n\ndata: {"b":2}\n\ndata: [DONE]\n\n');
    expect(text).toContain(": waiting\n\n");
  });
});

describe("Ollama's limits and metrics", () => {
  const generate = async (options: object, rest: object = {}): Promise<Record<string, unknown>> => {
    const response = await server.post("/api/generate", { prompt: "Once", stream: false, options, ...rest });
    expect(response.status).toBe(200);
    return (await response.json()) as Record<string, unknown>;
  };

  it.each([[-1], [-2], [0]])("num_predict %d is as long as the text gets", async (limit) => {
    const answer = await generate({ num_predict: limit, temperature: 0 }, { raw: true });
    const expected = await model.complete("Once", { temperature: 0 });
    expect(answer.response).toBe(expected);
    expect(answer.done_reason).toMatch(/stop|length/);
  });

  it("durations add up to no more than the total", async () => {
    const answer = await generate({ num_predict: 5 });
    const [total, prompt, text] = ["total_duration", "prompt_eval_duration", "eval_duration"].map((key) =>
      Number(answer[key]),
    );
    expect(answer.eval_count).toBe(5);
    expect(Math.min(total ?? 0, prompt ?? 0, text ?? 0)).toBeGreaterThan(0);
    expect((prompt ?? 0) + (text ?? 0)).toBeLessThanOrEqual(total ?? 0);
  });

  it("a request without a prompt only loads the model", async () => {
    expect(await generate({}, { prompt: "" })).toMatchObject({
      response: "",
      done: true,
      done_reason: "load",
    });
    const response = await server.post("/api/chat", { messages: [] });
    expect(await response.json()).toMatchObject({
      message: { content: "" },
      done: true,
      done_reason: "load",
    });
  });

  it("a digest names the model", async () => {
    const { models } = (await (await fetch(`${server.url}/api/tags`)).json()) as {
      models: { digest: string }[];
    };
    expect(models[0]?.digest).toMatch(/^[0-9a-f]{64}$/);
  });
});
