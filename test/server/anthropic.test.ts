import type { APIError } from "@anthropic-ai/sdk";
import Anthropic, { AuthenticationError, BadRequestError } from "@anthropic-ai/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LanguageModel, loadModel, type ServerOptions } from "#dist/index.js";
import { loadWithTemplate, taggedTemplate } from "../support/templated-model.js";
import { makeThinkingModel } from "../support/thinking-model.js";
import { openServer, type OpenServer, until } from "./open-server.js";
import { loadPatientModel, patientContext } from "./patient-model.js";

type Json = Readonly<Record<string, unknown>>;
type Event = Anthropic.RawMessageStreamEvent;
/** The SDK passes fields on that its types do not have. */
type Ask = Anthropic.MessageCreateParamsNonStreaming & { readonly temperature: number };

const apiKey = "a-key";
interface Opened {
  readonly model: LanguageModel;
  readonly server: OpenServer;
  readonly client: Anthropic;
  readonly close: () => Promise<void>;
}
async function open(model: LanguageModel, options?: ServerOptions): Promise<Opened> {
  const server = await openServer(model, { apiKey, ...options });
  return {
    model,
    server,
    client: new Anthropic({ baseURL: server.url, apiKey, maxRetries: 0 }),
    async close(): Promise<void> {
      await server.close();
      await model.dispose();
    },
  };
}

async function eventsOf(stream: AsyncIterable<Event>): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of stream) events.push(event);
  return events;
}
/** The types, with the kind of delta. Equal neighbours count once. */
function typesOf(events: readonly Event[]): string[] {
  return events
    .map((event) => (event.type === "content_block_delta" ? event.delta.type : event.type))
    .filter((type, index, all) => type !== all[index - 1]);
}

describe("/v1/messages with a small model", () => {
  let opened: Opened;
  let expected = "";
  beforeAll(async () => {
    opened = await open(await loadPatientModel());
    using chat = opened.model.chat({ system: "Be brief." });
    for await (const piece of chat.send("Once upon a time", { maxTokens: 12, temperature: 0 }))
      expected += piece.text;
  });
  afterAll(() => opened.close());

  const ask: Ask = {
    model: "any",
    max_tokens: 12,
    temperature: 0,
    system: "Be brief.",
    messages: [{ role: "user", content: "Once upon a time" }],
  };

  it("answers as the library does", async () => {
    const message = await opened.client.messages.create(ask);
    expect(message).toMatchObject({
      type: "message",
      role: "assistant",
      content: [{ type: "text", text: expected }],
      stop_reason: "max_tokens",
      stop_sequence: null,
      usage: { output_tokens: 12, cache_read_input_tokens: 0 },
    });
    expect(message.id).toMatch(/^msg_/);
    // The AI SDK refuses blocks whose citations are null.
    expect(message.content[0]).toEqual({ type: "text", text: expected });
    const { input_tokens: counted } = await opened.client.messages.countTokens({
      model: "any",
      system: ask.system ?? "",
      messages: ask.messages,
    });
    expect(message.usage.input_tokens).toBe(counted);
  });

  it("reads texts as blocks too", async () => {
    const { content } = await opened.client.messages.create({
      ...ask,
      system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "Once upon" },
            { type: "text", text: " a time" },
          ],
        },
      ],
    });
    expect(content).toMatchObject([{ text: expected }]);
  });

  it("continues the last message if it is the assistant's", async () => {
    const cut = expected.slice(0, -6);
    const begun = await opened.client.messages.create({
      ...ask,
      max_tokens: 2,
      messages: [...ask.messages, { role: "assistant", content: cut }],
    });
    const whole = await opened.client.messages.create({
      ...ask,
      max_tokens: 2,
      messages: [...ask.messages, { role: "assistant", content: cut }, { role: "user", content: "More." }],
    });
    expect(begun.usage.input_tokens).toBeLessThan(whole.usage.input_tokens);
    expect(begun.content).not.toEqual(whole.content);
  });

  it("streams events in Anthropic's order", async () => {
    const events = await eventsOf(await opened.client.messages.create({ ...ask, stream: true }));
    expect(typesOf(events)).toEqual([
      "message_start",
      "content_block_start",
      "text_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    expect(events.at(-2)).toMatchObject({
      delta: { stop_reason: "max_tokens", stop_sequence: null },
      usage: { output_tokens: 12 },
    });
    const headers = { "x-api-key": apiKey };
    const raw = await (await opened.server.post("/v1/messages", { ...ask, stream: true }, headers)).text();
    expect(raw).toMatch(/^event: message_start\ndata: \{"type":"message_start",/);
    expect(raw).toContain('event: ping\ndata: {"type":"ping"}\n\n');
  });

  it("works with the SDK's stream helper", async () => {
    const stream = opened.client.messages.stream(ask);
    let text = "";
    stream.on("text", (delta) => (text += delta));
    const final = await stream.finalMessage();
    expect([text, final.content[0]]).toMatchObject([expected, { type: "text", text: expected }]);
    expect([final.stop_reason, final.usage.output_tokens]).toEqual(["max_tokens", 12]);
  });

  it("names the stop sequence that ended the text", async () => {
    const words = expected.trim().split(/\s+/);
    const stop = words[3] ?? "";
    const { content, ...ended } = await opened.client.messages.create({
      ...ask,
      stop_sequences: ["not in it", stop],
    });
    expect(ended).toMatchObject({ stop_reason: "stop_sequence", stop_sequence: stop });
    expect(content).toMatchObject([{ text: expected.slice(0, expected.indexOf(stop)) }]);
    const other = await opened.client.messages.create({ ...ask, stop_sequences: ["not in it"] });
    expect(other).toMatchObject({ stop_reason: "max_tokens", stop_sequence: null });
  });

  it("keeps the schema of output_config", async () => {
    const schema = {
      type: "object",
      properties: { kind: { enum: ["fox", "king"] } },
      required: ["kind"],
      additionalProperties: false,
    };
    const { content, stop_reason: reason } = await opened.client.messages.create({
      ...ask,
      max_tokens: 100,
      output_config: { format: { type: "json_schema", schema } },
    });
    expect(reason).toBe("end_turn");
    const [block] = content;
    const { kind } = JSON.parse(block?.type === "text" ? block.text : "") as { readonly kind: string };
    expect(["fox", "king"]).toContain(kind);
  });

  it("takes the key as x-api-key and as a bearer token, and no other", async () => {
    const bearer = new Anthropic({
      baseURL: opened.server.url,
      apiKey: null,
      authToken: apiKey,
      maxRetries: 0,
    });
    expect((await bearer.messages.create({ ...ask, max_tokens: 1 })).type).toBe("message");
    const both = { Authorization: `Bearer ${apiKey}`, "x-api-key": "wrong" };
    expect((await opened.server.post("/v1/messages", ask, both)).status).toBe(200);
    const wrong = new Anthropic({ baseURL: opened.server.url, apiKey: "wrong", maxRetries: 0 });
    const error: unknown = await wrong.messages.create(ask).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AuthenticationError);
    expect((error as APIError).error).toMatchObject({
      type: "error",
      error: { type: "authentication_error", message: expect.stringContaining("x-api-key") as string },
    });
    const headers = { Authorization: `Bearer ${apiKey}` };
    const unknown = await opened.server.post("/v1/messages/batches", {}, headers);
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ type: "error", error: { type: "not_found_error" } });
  });

  it("frees the slot of a client that leaves", async () => {
    const stream = await opened.client.messages.create({
      ...ask,
      max_tokens: patientContext,
      messages: [{ role: "user", content: "Count to a million without an end." }],
      stream: true,
    });
    await until(() => opened.server.server.stats.active === 1);
    stream.controller.abort();
    await eventsOf(stream).catch(() => undefined);
    await until(() => opened.server.server.stats.active === 0);
  });

  it.each<[Json, string]>([
    [{ messages: [] }, "messages"],
    [
      { messages: [{ role: "user", content: [{ type: "image", source: {} }] }] },
      "messages.0.content.0.type: expected",
    ],
    [{ messages: [{ role: "user", content: [{ type: "thinking", thinking: "x" }] }] }, "only an assistant"],
    [
      { messages: [{ role: "assistant", content: [{ type: "tool_result", tool_use_id: "1" }] }] },
      "only a user",
    ],
    [{ tools: [{ type: "web_search_20250305", name: "web_search" }] }, "tools.0.type"],
    [{ tools: [{ name: "f", input_schema: {} }] }, "chat template"],
    [{ tool_choice: { type: "tool", name: "f" } }, "tool_choice"],
    [{ thinking: { type: "enabled", budget_tokens: 2000 } }, "think"],
    [{ mcp_servers: [{}] }, "no tools of its own"],
    [{ max_tokens: 0 }, "max_tokens"],
    [{ max_token: 5 }, "did you mean max_tokens"],
  ])("refuses with the reason: %j", async (fields, why) => {
    const request = { ...ask, ...fields };
    const error: unknown = await opened.client.messages.create(request).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BadRequestError);
    expect((error as APIError).error).toMatchObject({
      type: "error",
      error: { type: "invalid_request_error", message: expect.stringContaining(why) as string },
    });
  });

  it("reports a failure in the stream as an error", async () => {
    const own = await openServer(opened.model, { timeoutMs: 300 });
    const response = await own.post("/v1/messages", {
      ...ask,
      max_tokens: patientContext,
      output_config: { format: { type: "json_schema", schema: { type: "string", minLength: 4000 } } },
      stream: true,
    });
    const text = await response.text();
    expect(text).toMatch(/event: error\ndata: \{"type":"error","error":\{"type":"timeout_error",.*\}\}\n\n$/);
    await own.close();
  });
});

describe("/v1/messages with a model that thinks", () => {
  let opened: Opened;
  beforeAll(async () => {
    const { bytes } = await makeThinkingModel();
    opened = await open(await loadModel(bytes, { threads: 1 }));
  });
  afterAll(() => opened.close());
  const ask: Ask = {
    model: "any",
    max_tokens: 100,
    temperature: 0,
    messages: [{ role: "user", content: "Hi" }],
  };
  const thinking = { type: "enabled", budget_tokens: 50 } as const;

  it("thinks if it is switched on, and otherwise does not", async () => {
    const { content, usage } = await opened.client.messages.create({ ...ask, thinking });
    expect(content).toMatchObject([
      { type: "thinking", thinking: "why", signature: "" },
      { type: "text", text: "So." },
    ]);
    expect(usage).toMatchObject({ output_tokens: 10, output_tokens_details: { thinking_tokens: 6 } });
    for (const fields of [{}, { thinking: { type: "disabled" } as const }]) {
      const quiet = await opened.client.messages.create({ ...ask, ...fields });
      expect(quiet.content.map(({ type }) => type)).toEqual(["text"]);
    }
    const adaptive = await opened.client.messages.create({ ...ask, thinking: { type: "adaptive" } });
    expect(adaptive.content.map(({ type }) => type)).toEqual(["thinking", "text"]);
  });

  it("ends the thought at the budget", async () => {
    const { content } = await opened.client.messages.create({
      ...ask,
      thinking: { ...thinking, budget_tokens: 2 },
    });
    expect(content[0]).toMatchObject({ type: "thinking", thinking: "wh" });
  });

  it("streams the thought before the answer", async () => {
    const stream = await opened.client.messages.create({ ...ask, thinking, stream: true });
    expect(typesOf(await eventsOf(stream))).toEqual([
      "message_start",
      "content_block_start",
      "thinking_delta",
      "signature_delta",
      "content_block_stop",
      "content_block_start",
      "text_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    const final = await opened.client.messages.stream({ ...ask, thinking }).finalMessage();
    expect(final.content).toMatchObject([{ thinking: "why" }, { text: "So." }]);
  });

  it("accepts earlier thoughts", async () => {
    const { content } = await opened.client.messages.create({ ...ask, thinking });
    const again = await opened.client.messages.create({
      ...ask,
      thinking,
      messages: [...ask.messages, { role: "assistant", content }, { role: "user", content: "Hi" }],
    });
    expect(again.content).toMatchObject([{ thinking: "why" }, { text: "So." }]);
  });
});

describe("/v1/messages with a model that calls tools", () => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await open(await loadWithTemplate(taggedTemplate));
  });
  afterAll(() => opened.close());
  const ask: Ask = {
    model: "any",
    max_tokens: 200,
    temperature: 0,
    messages: [{ role: "user", content: "What is the weather?" }],
    tools: [
      {
        name: "weather",
        description: "Tells the weather of a city",
        input_schema: {
          type: "object",
          properties: { city: { enum: ["Ulm", "Bonn"] } },
          required: ["city"],
          additionalProperties: false,
        },
      },
    ],
    tool_choice: { type: "any", disable_parallel_tool_use: true },
  };

  it("gives a call as a block, whole and streamed, and takes its result", async () => {
    const { content, stop_reason: reason, usage } = await opened.client.messages.create(ask);
    expect(content).toMatchObject([{ type: "tool_use", name: "weather" }]);
    expect(reason).toBe("tool_use");
    const [call] = content;
    if (call?.type !== "tool_use") throw new Error("no call");
    expect(["Ulm", "Bonn"]).toContain((call.input as { readonly city: string }).city);
    const counted = await opened.client.messages.countTokens({
      model: "any",
      messages: ask.messages,
      tools: ask.tools ?? [],
    });
    expect(counted.input_tokens).toBe(usage.input_tokens);

    const stream = opened.client.messages.stream({ ...ask, tool_choice: { type: "tool", name: "weather" } });
    const events: Event[] = [];
    stream.on("streamEvent", (event) => events.push(event));
    const final = await stream.finalMessage();
    expect(final.content).toMatchObject([{ type: "tool_use", name: "weather", input: call.input }]);
    expect(typesOf(events)).toEqual([
      "message_start",
      "content_block_start",
      "input_json_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);

    const results: (string | Anthropic.TextBlockParam[])[] = ["Rain", [{ type: "text", text: "Rain" }]];
    const tokens = [];
    for (const result of results) {
      const answer = await opened.client.messages.create({
        ...ask,
        max_tokens: 5,
        tool_choice: { type: "auto" },
        messages: [
          ...ask.messages,
          { role: "assistant", content },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: call.id, content: result },
              { type: "text", text: "Well?" },
            ],
          },
        ],
      });
      tokens.push([answer.usage.input_tokens, answer.content]);
    }
    expect(tokens[0]).toEqual(tokens[1]);
  });

  it("wants the results of the last calls", async () => {
    const call = { type: "tool_use", id: "1", name: "weather", input: {} } as const;
    const request = { ...ask, messages: [...ask.messages, { role: "assistant" as const, content: [call] }] };
    await expect(opened.client.messages.create(request)).rejects.toThrow("results");
  });
});
