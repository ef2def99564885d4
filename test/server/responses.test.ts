import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, Output, streamText, tool } from "ai";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { loadWithTemplate, taggedTemplate } from "../support/templated-model.js";
import { makeThinkingModel } from "../support/thinking-model.js";
import { openServer, type OpenServer, until } from "./open-server.js";
import { endless, loadPatientModel, patientContext } from "./patient-model.js";

type Json = Readonly<Record<string, unknown>>;
type Event = OpenAI.Responses.ResponseStreamEvent;

interface Opened {
  readonly model: LanguageModel;
  readonly server: OpenServer;
  readonly client: OpenAI;
  readonly close: () => Promise<void>;
}
async function open(model: LanguageModel): Promise<Opened> {
  const server = await openServer(model);
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  return {
    model,
    server,
    client,
    async close(): Promise<void> {
      await server.close();
      await model.dispose();
    },
  };
}

/** The events of a stream, which are numbered from 0. */
async function eventsOf(stream: AsyncIterable<Event>): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of stream) events.push(event);
  expect(events.map((event) => event.sequence_number)).toEqual([...events.keys()]);
  return events;
}
/** The types, with equal neighbours counted once. */
function typesOf(events: readonly Event[]): string[] {
  return events.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1]);
}

describe("/v1/responses with a small model", () => {
  let opened: Opened;
  let expected = "";
  beforeAll(async () => {
    opened = await open(await loadPatientModel());
    using chat = opened.model.chat({ system: "Be brief." });
    for await (const piece of chat.send("Once upon a time", { maxTokens: 12, temperature: 0 }))
      expected += piece.text;
  });
  afterAll(() => opened.close());

  const ask = {
    model: "any",
    instructions: "Be brief.",
    input: "Once upon a time",
    temperature: 0,
    max_output_tokens: 12,
  };

  it("answers a text as the library does, and stores nothing", async () => {
    const response = await opened.client.responses.create({ ...ask, store: true, metadata: { a: "b" } });
    expect(response).toMatchObject({
      object: "response",
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      error: null,
      output_text: expected,
      instructions: "Be brief.",
      max_output_tokens: 12,
      temperature: 0,
      metadata: { a: "b" },
      store: false,
      previous_response_id: null,
      tools: [],
      tool_choice: "auto",
      text: { format: { type: "text" } },
      usage: { output_tokens: 12, output_tokens_details: { reasoning_tokens: 0 } },
    });
    expect(response.id).toMatch(/^resp_/);
    expect(response.output).toMatchObject([
      { type: "message", role: "assistant", status: "incomplete", content: [{ type: "output_text" }] },
    ]);
    const { usage } = response;
    expect(usage?.total_tokens).toBe((usage?.input_tokens ?? 0) + 12);
  });

  it("reads input in all of its forms", async () => {
    const inputs: OpenAI.Responses.ResponseInput[] = [
      [{ role: "user", content: "Once upon a time" }],
      [{ type: "message", role: "user", content: [{ type: "input_text", text: "Once upon a time" }] }],
      [
        {
          role: "user",
          content: [
            { type: "input_text", text: "Once upon" },
            { type: "input_text", text: " a time" },
          ],
        },
      ],
    ];
    for (const input of inputs) {
      const { output_text: text } = await opened.client.responses.create({ ...ask, input });
      expect(text).toBe(expected);
    }
    const developer = await opened.client.responses.create({
      ...ask,
      instructions: null,
      input: [{ role: "developer", content: "Be brief." }, ...(inputs[0] ?? [])],
    });
    expect(developer.output_text).toBe(expected);
  });

  it("continues its own output as input", async () => {
    const first = await opened.client.responses.create(ask);
    const input: OpenAI.Responses.ResponseInput = [
      { role: "user", content: "Once upon a time" },
      ...(first.output as OpenAI.Responses.ResponseOutputMessage[]),
      { role: "user", content: "More." },
    ];
    const second = await opened.client.responses.create({ ...ask, input });
    using chat = opened.model.chat({ system: "Be brief." });
    let [answer, more] = ["", ""];
    for await (const { text } of chat.send("Once upon a time", { maxTokens: 12, temperature: 0 }))
      answer += text;
    expect(answer).toBe(expected);
    for await (const { text } of chat.send("More.", { maxTokens: 12, temperature: 0 })) more += text;
    expect(second.output_text).toBe(more);
  });

  it("streams events in OpenAI's order", async () => {
    const events = await eventsOf(await opened.client.responses.create({ ...ask, stream: true }));
    expect(typesOf(events)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.incomplete",
    ]);
    const deltas = events.filter((event) => event.type === "response.output_text.delta");
    expect(deltas.map(({ delta }) => delta).join("")).toBe(expected);
    expect(deltas.length).toBeGreaterThan(6);
    const ids = events.flatMap((event) => ("item_id" in event ? [event.item_id] : []));
    expect(new Set(ids).size).toBe(1);
    const response = await opened.server.post("/v1/responses", { ...ask, stream: true });
    const text = await response.text();
    expect(text).toMatch(
      /^event: response\.created\ndata: \{"type":"response\.created","sequence_number":0,/,
    );
    expect(text).not.toContain("[DONE]");
  });

  it("works with the SDK's stream helper", async () => {
    const stream = opened.client.responses.stream(ask);
    let text = "";
    stream.on("response.output_text.delta", ({ delta }) => (text += delta));
    const final = await stream.finalResponse();
    expect([text, final.output_text, final.status]).toEqual([expected, expected, "incomplete"]);
  });

  it("works with the SDK's parse helper", async () => {
    const animal = z.object({ kind: z.enum(["fox", "king"]), legs: z.int().min(0).max(8) });
    const response = await opened.client.responses.parse({
      model: "any",
      input: "An animal.",
      text: { format: zodTextFormat(animal, "animal") },
    });
    expect(animal.safeParse(response.output_parsed).success).toBe(true);
    expect(response.status).toBe("completed");
    const { output_text: any } = await opened.client.responses.create({
      model: "any",
      input: "An animal.",
      max_output_tokens: 30,
      text: { format: { type: "json_object" } },
    });
    expect(any.trimStart()).toMatch(/^\{/);
  });

  it("works with the AI SDK's default model", async () => {
    const provider = createOpenAI({ baseURL: `${opened.server.url}/v1`, apiKey: "none" });
    const request = {
      model: provider("any"),
      system: "Be brief.",
      prompt: "Once upon a time",
      temperature: 0,
      maxOutputTokens: 12,
      maxRetries: 0,
    };
    const whole = await generateText(request);
    expect([whole.text, whole.finishReason, whole.usage.outputTokens]).toEqual([expected, "length", 12]);
    const result = streamText(request);
    let text = "";
    for await (const part of result.textStream) text += part;
    expect([text, await result.finishReason, (await result.usage).outputTokens]).toEqual([
      expected,
      "length",
      12,
    ]);
    const schema = z.object({ kind: z.enum(["fox", "king"]) });
    const { output } = await generateText({
      ...request,
      maxOutputTokens: 100,
      output: Output.object({ schema }),
    });
    expect(["fox", "king"]).toContain(output.kind);
  });

  /** A text that fills the context. */
  const unending = (): typeof ask & { stream: true } => {
    const options = { max_output_tokens: patientContext, logit_bias: endless(opened.model) };
    return { ...ask, ...options, stream: true };
  };

  it("frees the slot of a client that leaves", async () => {
    const leaving = new AbortController();
    const stream = await opened.client.responses.create(unending(), { signal: leaving.signal });
    await until(() => opened.server.server.stats.active === 1);
    leaving.abort();
    await eventsOf(stream).catch(() => undefined);
    await until(() => opened.server.server.stats.active === 0);
  });

  it.each<[Json, string | null, string]>([
    [{ previous_response_id: "resp_1" }, "previous_response_id", "stores no responses"],
    [{ conversation: "conv_1" }, "conversation", "stores no responses"],
    [{ background: true }, "background", "use stream"],
    [{ tools: [{ type: "web_search" }] }, "tools.0.type", "no built-in tools"],
    [{ input: [{ type: "item_reference", id: "msg_1" }] }, "input.0.type", "stores no items"],
    [
      { input: [{ role: "user", content: [{ type: "input_image", image_url: "x" }] }] },
      "input.0.content.0.type",
      "no other kind of content",
    ],
    [{ input: [] }, "input", "at least one item"],
    [{ input: undefined }, "input", "expected an array"],
    [{ include: ["message.output_text.logprobs"] }, "include", "/v1/chat/completions"],
    [
      { text: { format: { type: "json_schema", name: "x", schema: { not: {} } } } },
      "text.format.schema",
      "not",
    ],
    [{ text: { format: { type: "json_schema", name: "x" } } }, "text.format.schema", "expected"],
    [{ text: { verbosity: "low" } }, "text.verbosity", "message"],
    [{ max_tokens: 5 }, "max_tokens", "max_output_tokens"],
    [{ tools: [{ type: "function", name: "f" }] }, "tools", "chat template"],
    [{ reasoning: { effort: "none" }, chat_template_kwargs: 1 }, "chat_template_kwargs", "expected"],
  ])("refuses with the reason: %j", async (fields, param, why) => {
    const response = await opened.server.post("/v1/responses", { ...ask, ...fields });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { type: "invalid_request_error", param, message: expect.stringContaining(why) as string },
    });
  });

  it("reports a failure in the stream as response.failed", async () => {
    const own = await openServer(opened.model, { timeoutMs: 300 });
    const client = new OpenAI({ baseURL: `${own.url}/v1`, apiKey: "none", maxRetries: 0 });
    const stream = await client.responses.create(unending());
    const events = await eventsOf(stream);
    expect(events.at(-1)).toMatchObject({
      type: "response.failed",
      response: { status: "failed", error: { code: "timeout" } },
    });
    await own.close();
  });
});

describe("/v1/responses with a model that thinks", () => {
  let opened: Opened;
  beforeAll(async () => {
    const { bytes } = await makeThinkingModel();
    opened = await open(await loadModel(bytes, { threads: 1 }));
  });
  afterAll(() => opened.close());
  const ask = { model: "any", input: "Hi", temperature: 0 };

  it("gives the thought as a reasoning item, and counts it", async () => {
    const { output, usage, output_text: text } = await opened.client.responses.create(ask);
    expect(output).toMatchObject([
      {
        type: "reasoning",
        summary: [],
        content: [{ type: "reasoning_text", text: "why" }],
        status: "completed",
      },
      {
        type: "message",
        content: [{ type: "output_text", text: "So.", annotations: [] }],
        status: "completed",
      },
    ]);
    expect(text).toBe("So.");
    expect(usage).toMatchObject({ output_tokens: 10, output_tokens_details: { reasoning_tokens: 6 } });
  });

  it("streams it before the answer", async () => {
    const events = await eventsOf(await opened.client.responses.create({ ...ask, stream: true }));
    expect(typesOf(events)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.reasoning_text.delta",
      "response.reasoning_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    const indexes = events.flatMap((event) => ("output_index" in event ? [event.output_index] : []));
    expect(indexes).toEqual(indexes.toSorted());
    expect(new Set(indexes)).toEqual(new Set([0, 1]));
  });

  it("gives it as a summary if one is asked for", async () => {
    const { output } = await opened.client.responses.create({ ...ask, reasoning: { summary: "auto" } });
    expect(output[0]).toMatchObject({ type: "reasoning", summary: [{ type: "summary_text", text: "why" }] });
    const provider = createOpenAI({ baseURL: `${opened.server.url}/v1`, apiKey: "none" });
    const result = streamText({
      model: provider("any"),
      prompt: "Hi",
      providerOptions: { openai: { reasoningSummary: "auto", forceReasoning: true } },
    });
    expect([await result.reasoningText, await result.text]).toEqual(["why", "So."]);
  });

  it("switches it off, and accepts earlier thoughts", async () => {
    const off = await opened.client.responses.create({ ...ask, reasoning: { effort: "none" } });
    expect(off.output.map(({ type }) => type)).toEqual(["message"]);
    const first = await opened.client.responses.create(ask);
    const tokens = async (input: Json[]): Promise<number | undefined> =>
      (
        (await (
          await opened.server.post("/v1/responses", { ...ask, input })
        ).json()) as OpenAI.Responses.Response
      ).usage?.input_tokens;
    const user = { role: "user", content: "Hi" };
    const answer = first.output.at(-1) as unknown as Json;
    // The template shows thoughts after the last question only.
    const [withThought = 0, without = 0] = [
      await tokens([user, ...(first.output as unknown as Json[])]),
      await tokens([user, answer]),
    ];
    expect(withThought).toBeGreaterThan(without);
    expect(await tokens([user, ...(first.output as unknown as Json[]), user])).toBe(
      await tokens([user, answer, user]),
    );
  });
});

describe("/v1/responses with a model that calls tools", () => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await open(await loadWithTemplate(taggedTemplate));
  });
  afterAll(() => opened.close());
  const weather: OpenAI.Responses.FunctionTool = {
    type: "function",
    name: "weather",
    description: "Tells the weather of a city",
    strict: true,
    parameters: {
      type: "object",
      properties: { city: { enum: ["Ulm", "Bonn"] } },
      required: ["city"],
      additionalProperties: false,
    },
  };
  const ask = {
    model: "any",
    input: "What is the weather?",
    tools: [weather],
    tool_choice: "required" as const,
    temperature: 0,
  };

  it("gives a call as an item, whole and streamed", async () => {
    const { output, tools, tool_choice: choice } = await opened.client.responses.create(ask);
    expect(output).toMatchObject([{ type: "function_call", name: "weather", status: "completed" }]);
    expect([tools, choice]).toEqual([[weather], "required"]);
    const [call] = output as OpenAI.Responses.ResponseFunctionToolCall[];
    expect(call?.call_id).toMatch(/^call_/);
    expect(JSON.parse(call?.arguments ?? "")).toEqual({ city: expect.stringMatching(/Ulm|Bonn/) as string });

    const named = { type: "function" as const, name: "weather" };
    const events = await eventsOf(
      await opened.client.responses.create({ ...ask, tool_choice: named, stream: true }),
    );
    const types = events.map(({ type }) => type);
    expect(types.filter((type) => type === "response.function_call_arguments.delta").length).toBeGreaterThan(
      2,
    );
    expect(types.filter((type, index) => type !== types[index - 1])).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.function_call_arguments.delta",
      "response.function_call_arguments.done",
      "response.output_item.done",
      "response.completed",
    ]);
    const stream = opened.client.responses.stream(ask);
    const final = await stream.finalResponse();
    expect(final.output).toMatchObject([{ type: "function_call", arguments: call?.arguments }]);
  });

  it("takes calls and their results back", async () => {
    const first = await opened.client.responses.create(ask);
    const [call] = first.output as OpenAI.Responses.ResponseFunctionToolCall[];
    if (call === undefined) throw new Error("no call");
    const outputs: OpenAI.Responses.ResponseInputItem.FunctionCallOutput["output"][] = [
      "Rain",
      [{ type: "input_text", text: "Rain" }],
    ];
    const texts = [];
    for (const output of outputs) {
      const { output_text: text, usage } = await opened.client.responses.create({
        ...ask,
        tool_choice: "none",
        max_output_tokens: 5,
        input: [
          { role: "user", content: "What is the weather?" },
          call,
          { type: "function_call_output", call_id: call.call_id, output },
        ],
      });
      texts.push([text, usage?.input_tokens]);
    }
    expect(texts[0]).toEqual(texts[1]);
    const wrong = await opened.server.post("/v1/responses", { ...ask, input: [{ ...call, arguments: "{" }] });
    expect(await wrong.json()).toMatchObject({ error: { param: "input.0.arguments" } });
  });

  it("calls the AI SDK's tools", async () => {
    const provider = createOpenAI({ baseURL: `${opened.server.url}/v1`, apiKey: "none" });
    const cities: unknown[] = [];
    const { toolCalls, toolResults } = await generateText({
      model: provider("any"),
      prompt: "What is the weather?",
      toolChoice: "required",
      tools: {
        weather: tool({
          inputSchema: jsonSchema<{ city: string }>(weather.parameters ?? {}),
          execute: ({ city }) => {
            cities.push(city);
            return "Rain";
          },
        }),
      },
    });
    expect(toolCalls).toMatchObject([{ toolName: "weather" }]);
    expect(toolResults).toMatchObject([{ output: "Rain" }]);
    expect(["Ulm", "Bonn"]).toContain(cities[0]);
  });
});
