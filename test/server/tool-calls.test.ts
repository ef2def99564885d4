import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "#dist/index.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { createChatTemplate } from "#dist/text/chat-template.js";
import { loadWithTemplate, taggedTemplate } from "../support/templated-model.js";
import { openServer, type OpenServer } from "./open-server.js";

/** The form of Llama 3's template. */
const json = `{% for message in messages %}{% if loop.first and tools is defined %}Answer with {"name": ..., "parameters": ...} for one of {{ tools | tojson(indent=1) }}
{% endif %}{{ message.role }}: {{ message.content }}{% if message.tool_calls %}{% for call in message.tool_calls %}{"name": "{{ call.function.name }}", "parameters": {{ call.function.arguments | tojson }}}{% endfor %}{% endif %}
{% endfor %}assistant: `;

const tools: OpenAI.ChatCompletionFunctionTool[] = [
  {
    type: "function",
    function: {
      name: "weather",
      description: "Tells the weather </s> of a <|city|>",
      parameters: {
        type: "object",
        properties: { city: { enum: ["Ulm", "Bonn"] }, days: { type: "integer", minimum: 1, maximum: 9 } },
        required: ["city", "days"],
      },
    },
  },
  {
    type: "function",
    function: { name: "time", parameters: { type: "object", properties: { zone: { const: "UTC" } } } },
  },
];
const messages: OpenAI.ChatCompletionMessageParam[] = [
  { role: "user", content: "What is the weather in Ulm?" },
];

describe.each([
  ["hermes", taggedTemplate],
  ["llama3", json],
])("tools of a template whose calls are %s", (syntax, template) => {
  let model: LanguageModel;
  let server: OpenServer;
  let client: OpenAI;
  beforeAll(async () => {
    model = await loadWithTemplate(template);
    server = await openServer(model);
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  });
  afterAll(async () => {
    await server.close();
    await model.dispose();
  });

  const ask = { model: "any", messages, tools };

  it("are called if a call is required, whole and streamed", async () => {
    const { choices } = await client.chat.completions.create({
      ...ask,
      temperature: 0,
      tool_choice: "required",
    });
    expect(choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { content: null } });
    const [call] = choices[0]?.message.tool_calls ?? [];
    if (call?.type !== "function") throw new Error("no call");
    expect(call.id).toMatch(/^call_/);
    expect(["weather", "time"]).toContain(call.function.name);

    let [name, given, reason] = ["", "", ""];
    const stream = await client.chat.completions.create({
      ...ask,
      temperature: 0,
      tool_choice: { type: "function", function: { name: "weather" } },
      stream: true,
    });
    for await (const {
      choices: [choice],
    } of stream) {
      expect(choice?.delta.content ?? "").toBe("");
      name += choice?.delta.tool_calls?.[0]?.function?.name ?? "";
      given += choice?.delta.tool_calls?.[0]?.function?.arguments ?? "";
      reason = choice?.finish_reason ?? reason;
    }
    expect([name, reason]).toEqual(["weather", "tool_calls"]);
    const values = JSON.parse(given) as { city: string; days: number };
    expect(["Ulm", "Bonn"]).toContain(values.city);
    expect(values.days).toBeGreaterThanOrEqual(1);
  });

  it("allow text instead of a call, and accept their results", async () => {
    const conversation: OpenAI.ChatCompletionMessageParam[] = [
      ...messages,
      {
        role: "assistant",
        content: null,
        tool_calls: [
          {
            id: "call_1",
            type: "function",
            function: { name: "weather", arguments: '{"city":"Ulm","days":2}' },
          },
        ],
      },
      { role: "tool", tool_call_id: "call_1", content: "Rain" },
    ];
    const { choices } = await client.chat.completions.create({
      ...ask,
      messages: conversation,
      max_completion_tokens: 8,
    });
    expect(choices[0]?.finish_reason).toMatch(/stop|length/);
    expect(typeof choices[0]?.message.content).toBe("string");
  });

  it("are in the prompt, without special tokens", () => {
    const { tokenizer } = internalsOf(model);
    const chatTemplate = createChatTemplate(tokenizer);
    expect(chatTemplate.toolSyntax?.name).toBe(syntax);
    const eos = tokenizer.decode([tokenizer.eosId ?? 0], { skipSpecial: false });
    const spelt = {
      type: "function" as const,
      function: { name: "x", description: `${eos}!`, parameters: { [`${eos}?`]: 1 } },
    };
    const call = { name: "x", arguments: { [`a${eos}`]: `${eos}b` } };
    const ids = chatTemplate.encode(
      [
        { role: "user", content: `Go${eos}` },
        { role: "assistant", content: "", toolCalls: [call] },
        { role: "tool", content: `${eos}c`, toolCallId: `1${eos}` },
      ],
      [spelt],
    );
    expect(ids).not.toContain(tokenizer.eosId);
    const text = tokenizer.decode(ids);
    for (const part of [
      `"description": "${eos}!"`,
      `"${eos}?": 1`,
      `Go${eos}`,
      `{"a${eos}": "${eos}b"}`,
      `tool: ${eos}c`,
    ])
      expect(text.replaceAll(/\s+/g, " ")).toContain(part);
  });

  it("work in Ollama's protocol too", async () => {
    const ollama = new Ollama({ host: server.url });
    const shown = await ollama.show({ model: "any" });
    expect(shown.capabilities).toContain("tools");
    const request = {
      model: "any",
      messages: [
        { role: "user", content: "?" },
        {
          role: "assistant",
          content: "",
          tool_calls: [{ function: { name: "weather", arguments: { city: "Ulm" } } }],
        },
        { role: "tool", content: "Rain", tool_name: "weather" },
      ],
      tools: tools.map(({ function: { name, description = "", parameters = {} } }) => ({
        type: "function",
        function: { name, description, parameters },
      })),
      options: { num_predict: 5 },
    };
    const { message } = await ollama.chat({ ...request, stream: false });
    expect(typeof message.content).toBe("string");
    // Ollama's protocol cannot demand a call: tool_choice has no effect.
    const response = await server.post("/api/chat", { ...request, tool_choice: "required", stream: false });
    expect(response.status).toBe(200);
  });

  it.each([
    [{ tool_choice: "required", tools: [] }, "tool_choice"],
    [{ tool_choice: { type: "function", function: { name: "none" } } }, "tool_choice"],
    [{ tools: [{ type: "function", function: { name: "a b" } }] }, "tools.0.function.name"],
    [{ tools: [{ type: "web_search" }] }, "tools.0.type"],
    [{ response_format: { type: "json_schema", json_schema: { schema: { type: "x" } } } }, "response_format"],
    [{ messages: [{ role: "assistant", content: null }] }, "messages.0.content"],
    [
      {
        messages: [
          { role: "assistant", content: null, tool_calls: [{ function: { name: "x", arguments: "{" } }] },
        ],
      },
      "messages.0.tool_calls.0.function.arguments",
    ],
  ])("are refused by name where they are wrong: %j", async (rest, param) => {
    const response = await server.post("/v1/chat/completions", { messages, tools, ...rest });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param } });
  });

  it("with an unsupported schema get at least an object", async () => {
    const odd = { type: "function" as const, function: { name: "odd", parameters: { if: {}, then: {} } } };
    const { choices } = await client.chat.completions.create({
      ...ask,
      tools: [odd],
      tool_choice: "required",
      max_completion_tokens: 60,
    });
    expect(choices[0]?.message.content ?? '"odd", {').toMatch(/"odd",[^{]*\{/);
  });

  it("may be ignored", async () => {
    const { choices } = await client.chat.completions.create({
      ...ask,
      tool_choice: "none",
      max_completion_tokens: 4,
    });
    expect(choices[0]?.message.tool_calls).toBeUndefined();
  });
});

it("a model whose template has no tools refuses them", async () => {
  await using model = await loadWithTemplate(undefined);
  const server = await openServer(model);
  const response = await server.post("/v1/chat/completions", { messages, tools });
  expect(response.status).toBe(400);
  const { error } = (await response.json()) as { error: { param: string; message: string } };
  expect(error).toMatchObject({ param: "tools" });
  expect(error.message).toContain("chat template");
  await server.close();
});

describe("tags of tool calls that are control tokens", () => {
  it("are seen by the parser, and hidden where no call is possible", async () => {
    // Reserved control tokens of the embedded model.
    const [opening, closing] = [4092, 4093];
    await using model = await loadWithTemplate(
      taggedTemplate,
      new Map([
        [opening, "<tool_call>"],
        [closing, "</tool_call>"],
      ]),
    );
    expect(internalsOf(model).tokenizer.isControl(opening)).toBe(true);
    const server = await openServer(model);
    const body = { messages, max_tokens: 3, temperature: 0, logit_bias: { [opening]: 100 } };
    const content = async (request: object): Promise<unknown> => {
      const answer = (await (await server.post("/v1/chat/completions", request)).json()) as {
        choices: { message: { content: unknown } }[];
      };
      return answer.choices[0]?.message.content;
    };
    // A call that is never complete is text.
    expect(await content({ ...body, tools })).toBe("<tool_call>".repeat(3));
    expect(await content(body)).toBe("");
    const ollama = await server.post("/api/chat", {
      model: "any",
      messages: [{ role: "user", content: "?" }],
      tools,
      stream: false,
      options: { num_predict: 3, stop: ["<tool_call>"], temperature: 0 },
    });
    expect(ollama.status).toBe(200);
    await server.close();
  });
});
