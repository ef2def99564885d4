import { Script } from "node:vm";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { openServer, type OpenServer, until } from "./open-server.js";

const apiKey = "a secret".replace(" ", "-");
const headers = { Authorization: `Bearer ${apiKey}` };
const options = { temperature: 0, num_predict: 10 };
let model: LanguageModel;
let server: OpenServer;
let client: Ollama;
beforeAll(async () => {
  model = await loadModel(undefined, { threads: 1 });
  server = await openServer(model, { apiKey, cors: ["https://friend.example"] });
  client = new Ollama({ host: server.url, headers });
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

it("generate gives the library's text, streamed and whole", async () => {
  const expected = await model.complete("The fox", { maxTokens: 10, temperature: 0 });
  const whole = await client.generate({ model: "any", prompt: "The fox", raw: true, options });
  expect(whole).toMatchObject({ response: expected, done: true, done_reason: "length", eval_count: 10 });
  expect(whole.total_duration).toBeGreaterThan(0);
  let text = "";
  for await (const part of await client.generate({
    model: "any",
    prompt: "The fox",
    raw: true,
    options,
    stream: true,
  }))
    text += part.response ?? "";
  expect(text).toBe(expected);
});

it("chat writes the same streamed and whole, and stops when its reader does", async () => {
  const messages = [{ role: "user", content: "Hello" }];
  const whole = await client.chat({ model: "any", messages, options });
  let text = "";
  for await (const part of await client.chat({ model: "any", messages, options, stream: true }))
    text += part.message.content;
  expect(text).toBe(whole.message.content);

  const stream = await client.chat({
    model: "any",
    messages,
    options: { num_predict: 10_000 },
    stream: true,
  });
  stream.abort();
  await until(() => server.server.stats.active === 0);
});

it("describes its model", async () => {
  const { models } = await client.list();
  expect(models).toHaveLength(1);
  expect((await client.ps()).models[0]?.name).toBe(models[0]?.name);
  expect((await client.show({ model: "any" })).details.family).toBe(model.info.architecture);
});

it("embeds like the library, by both interfaces", async () => {
  const texts = ["A fox.", "A king."];
  const expected = await model.embed(texts);
  const { embeddings } = await client.embed({ model: "any", input: texts });
  expect(embeddings.map((vector) => Float32Array.from(vector))).toEqual(expected);
  const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey });
  const { data } = await openai.embeddings.create({ model: "any", input: texts });
  expect(data.map(({ embedding }) => Float32Array.from(embedding))).toEqual(expected);
});

it("cuts texts to embed to the context, unless truncate is false", async () => {
  const { contextLength } = model.info;
  const long = "A fox and a king. ".repeat(contextLength);
  const cut = model.detokenize(model.tokenize(long).slice(0, contextLength));
  expect(model.tokenize(cut)).toHaveLength(contextLength);
  const expected = await model.embed([cut, "A fox."]);
  const { embeddings, prompt_eval_count: tokens } = await client.embed({
    model: "any",
    input: [long, "A fox."],
  });
  expect(embeddings.map((vector) => Float32Array.from(vector))).toEqual(expected);
  expect(tokens).toBe(contextLength + model.tokenize("A fox.").length);
  const { embedding } = await client.embeddings({ model: "any", prompt: long });
  expect(Float32Array.from(embedding)).toEqual(expected[0]);
  await expect(client.embed({ model: "any", input: long, truncate: false })).rejects.toThrow(/context/);
  const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey });
  await expect(openai.embeddings.create({ model: "any", input: long })).rejects.toMatchObject({
    status: 400,
  });
});

it("encodes text to tokens and decodes them", async () => {
  const response = await server.post("/tokenize", { content: "A fox." }, headers);
  const { tokens } = (await response.json()) as { readonly tokens: number[] };
  expect(tokens).toEqual(model.tokenize("A fox.", { addSpecial: false }));
  expect(await (await server.post("/detokenize", { tokens }, headers)).json()).toEqual({
    content: model.detokenize(tokens),
  });
});

it("counts in /metrics", async () => {
  const text = await (await fetch(`${server.url}/metrics`, { headers })).text();
  const { generatedTokens } = server.server.stats;
  expect(text).toContain(`\nbitnet_generated_tokens_total ${generatedTokens}\n`);
});

it("requires its key except for /health", async () => {
  for (const authorization of ["", "Bearer wrong", apiKey]) {
    const response = await server.post("/api/chat", {}, { authorization });
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ error: expect.stringContaining("API key") });
  }
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
});

it("serves pages of allowed origins only", async () => {
  const ask = (origin: string): Promise<Response> =>
    fetch(`${server.url}/v1/models`, { headers: { ...headers, origin } });
  const friend = await ask("https://friend.example");
  expect([friend.status, friend.headers.get("access-control-allow-origin")]).toEqual([
    200,
    "https://friend.example",
  ]);
  expect((await ask("https://stranger.example")).status).toBe(403);
  expect((await ask(server.url)).status).toBe(200);
});

it("refuses in Ollama's format", async () => {
  const response = await server.post("/api/chat", { messages: "x" }, headers);
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ error: expect.stringContaining("messages") });
});

it("has a chat page without a key, whose script can be read and which loads nothing", async () => {
  const response = await fetch(`${server.url}/`);
  expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
  const page = await response.text();
  const script = /<script type="module">([\s\S]*)<\/script>/.exec(page)?.[1] ?? "";
  expect(script).not.toBe("");
  // It throws the SyntaxError that the page's script would.
  expect(() => new Script(script)).not.toThrow();
  expect(page).not.toMatch(/(?:src|href)=/);
});
