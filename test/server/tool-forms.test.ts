import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "#dist/index.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { createChatTemplate } from "#dist/text/chat-template.js";
import { marksOf, type ToolSyntax, toolSyntaxes } from "#dist/text/tool-syntax.js";
import { loadWithTemplate } from "../support/templated-model.js";
import { openServer, type OpenServer } from "./open-server.js";

/** A template that asks for a form by an example. Some real templates want arguments as text. */
function templateOf(example: string, shown = "call.function.arguments | tojson"): string {
  return `{% if tools %}{{ tools | tojson }} ${example}
{% endif %}{% for message in messages %}{{ message.role }}: {{ message.content }}{% for call in message.tool_calls %}{{ call.function.name }}{{ ${shown} }}{% endfor %}
{% endfor %}assistant: `;
}

const examples: readonly (readonly [ToolSyntax["name"], string])[] = [
  ["hermes", '<tool_call>{"name": …, "arguments": …}</tool_call>'],
  ["function-gemma", "<start_function_call>call:name{}<end_function_call>"],
  ["mistral-named", "[TOOL_CALLS]name[ARGS]"],
  ["mistral", "[TOOL_CALLS]"],
  ["function-tag", "<function=name>"],
  ["tool-code", "```tool_code"],
  ["minicpm", "<|tool_call_start|>\n```python\nname(key=value)\n```\n<|tool_call_end|>"],
  ["lfm2", "<|tool_list_start|>"],
  ["pythonic", "[func_name1(params_name1=params_value1), func_name2()]"],
  ["llama3", '{"name": …, "parameters": …}'],
];

const parameters = {
  type: "object",
  properties: { city: { enum: ["Ulm", "Bonn"] }, days: { type: "integer", minimum: 1, maximum: 9 } },
  required: ["city"],
  additionalProperties: false,
};
const tools: OpenAI.ChatCompletionFunctionTool[] = [
  { type: "function", function: { name: "weather", parameters } },
];
const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Rain?" }];
const named = { type: "function" as const, function: { name: "weather" } };
/** Reserved control tokens of the embedded model. */
const reserved = [4090, 4091, 4092, 4093];

interface Call {
  id: string;
  name: string;
  arguments: string;
}

async function streamedCalls(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<[Call[], number]> {
  const calls: Call[] = [];
  let deltas = 0;
  for await (const { choices } of stream) {
    for (const { index, id, function: part } of choices[0]?.delta.tool_calls ?? []) {
      // The first part of a call has its id and name, the others its number only.
      if (id !== undefined) calls[index] = { id, name: part?.name ?? "", arguments: "" };
      else expect(part?.name).toBeUndefined();
      const call = calls[index];
      if (call === undefined) throw new Error("arguments without a call");
      expect(index).toBe(calls.length - 1);
      call.arguments += part?.arguments ?? "";
      deltas += part?.arguments === "" ? 0 : 1;
    }
  }
  return [calls, deltas];
}

it("every form has a template here", () => {
  expect(examples.map(([name]) => name)).toEqual(toolSyntaxes.map(({ name }) => name));
});

describe.each(examples)("calls in the form %s", (name, example) => {
  let model: LanguageModel;
  let server: OpenServer;
  let client: OpenAI;
  const syntax = toolSyntaxes.find((each) => each.name === name);
  const marks = syntax === undefined ? [] : marksOf(syntax);
  beforeAll(async () => {
    // Every second form has control tokens for marks.
    const isControl = examples.findIndex(([each]) => each === name) % 2 === 0;
    const controls = marks.map((mark, index): [number, string] => [reserved[index] ?? 0, mark]);
    model = await loadWithTemplate(templateOf(example), new Map(isControl ? controls : []));
    server = await openServer(model);
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  });
  afterAll(async () => {
    await server.close();
    await model.dispose();
  });
  const ask = { model: "any", messages, tools, temperature: 0, max_completion_tokens: 200 };

  it("are found in the template, forced by grammar, and streamed as they are whole", async () => {
    expect(createChatTemplate(internalsOf(model).tokenizer).toolSyntax).toBe(syntax);
    const { choices } = await client.chat.completions.create({ ...ask, tool_choice: named });
    const [choice] = choices;
    expect(choice).toMatchObject({ finish_reason: "tool_calls", message: { content: null } });
    const calls = choice?.message.tool_calls ?? [];
    expect(calls).toHaveLength(1);
    const [call] = calls;
    if (call?.type !== "function") throw new Error("no call");
    expect(JSON.parse(call.function.arguments)).toMatchObject({
      city: expect.stringMatching(/^(Ulm|Bonn)$/) as string,
    });

    const [streamed, deltas] = await streamedCalls(
      await client.chat.completions.create({ ...ask, tool_choice: named, stream: true }),
    );
    expect(streamed).toMatchObject([{ name: "weather", arguments: call.function.arguments }]);
    const isPiecewise = syntax?.body !== "python" && syntax?.body !== "braces";
    expect(deltas > 1).toBe(isPiecewise);

    const anthropic = new Anthropic({ baseURL: server.url, apiKey: "none", maxRetries: 0 });
    const message = await anthropic.messages
      .stream({
        ...{ model: "any", max_tokens: 200, temperature: 0, messages: [{ role: "user", content: "Rain?" }] },
        tools: [{ name: "weather", input_schema: { ...parameters, type: "object" } }],
        tool_choice: { type: "tool", name: "weather" },
      })
      .finalMessage();
    expect(message.content).toMatchObject([
      { type: "tool_use", input: JSON.parse(call.function.arguments) as object },
    ]);

    const response = await client.responses
      .stream({
        ...{ model: "any", input: "Rain?", temperature: 0, max_output_tokens: 200 },
        tools: [{ type: "function", name: "weather", parameters, strict: true }],
        tool_choice: { type: "function", name: "weather" },
      })
      .finalResponse();
    expect(response.output).toMatchObject([{ type: "function_call", arguments: call.function.arguments }]);
  });

  it("can be several where the request says so", async () => {
    const body = { ...ask, tool_choice: "required" as const, max_completion_tokens: 150 };
    const [calls] = await streamedCalls(
      await client.chat.completions.create({ ...body, parallel_tool_calls: true, stream: true }),
    );
    expect(calls.length).toBeGreaterThan(0);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
    for (const call of calls.slice(0, -1)) {
      expect(call.name).toBe("weather");
      expect(JSON.parse(call.arguments)).toHaveProperty("city");
    }
    const single = await client.chat.completions.create({ ...body, parallel_tool_calls: false });
    expect(single.choices[0]?.message.tool_calls).toHaveLength(1);
  });
});

describe("the older form of tools", () => {
  let model: LanguageModel;
  let server: OpenServer;
  let client: OpenAI;
  beforeAll(async () => {
    model = await loadWithTemplate(templateOf("<tool_call>"));
    server = await openServer(model);
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  });
  afterAll(async () => {
    await server.close();
    await model.dispose();
  });
  const ask = {
    ...{ model: "any", messages, temperature: 0, max_completion_tokens: 200 },
    functions: [{ name: "weather", parameters }],
    function_call: { name: "weather" },
  };

  it("gives one call, whole and streamed, and takes it back", async () => {
    const { choices } = await client.chat.completions.create(ask);
    expect(choices[0]).toMatchObject({
      finish_reason: "function_call",
      message: { content: null, function_call: { name: "weather" } },
    });
    expect(choices[0]?.message.tool_calls).toBeUndefined();
    // The SDK marks this form as deprecated.
    type Legacy =
      { readonly function_call?: { readonly name?: string; readonly arguments?: string } } | undefined;
    const call = (choices[0]?.message as Legacy)?.function_call;
    if (call?.arguments === undefined) throw new Error("no call");
    let [name, given, reason] = ["", "", ""];
    for await (const { choices: chunk } of await client.chat.completions.create({ ...ask, stream: true })) {
      const part = (chunk[0]?.delta as Legacy)?.function_call;
      name += part?.name ?? "";
      given += part?.arguments ?? "";
      reason = chunk[0]?.finish_reason ?? reason;
    }
    expect([name, given, reason]).toEqual(["weather", call.arguments, "function_call"]);

    const next: OpenAI.ChatCompletionMessageParam[] = [
      ...messages,
      { role: "assistant", content: null, function_call: { name, arguments: given } },
      { role: "function", name: "weather", content: "Rain" },
    ];
    const body = { ...ask, messages: next, function_call: "none" as const, max_completion_tokens: 3 };
    expect((await client.chat.completions.create(body)).choices[0]?.finish_reason).toMatch(/stop|length/);
    const shown = await server.post("/apply-template", { messages: next });
    expect(await shown.text()).toContain(String.raw`tool: Rain`);
  });

  it("excludes the newer form", async () => {
    const response = await server.post("/v1/chat/completions", { ...ask, tools });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param: "functions" } });
  });
});

describe("a conversation with calls", () => {
  const turn = (id: string): OpenAI.ChatCompletionMessageParam[] => [
    ...messages,
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id, type: "function", function: { name: "weather", arguments: '{"city":"Ulm"}' } }],
    },
    { role: "tool", tool_call_id: id, content: "Rain" },
  ];
  async function promptOf(template: string, id: string): Promise<string> {
    await using model = await loadWithTemplate(template);
    const server = await openServer(model);
    const response = await server.post("/apply-template", { messages: turn(id), tools });
    await server.close();
    return ((await response.json()) as { readonly prompt: string }).prompt;
  }

  it.each([
    ["an object", "call.function.arguments | tojson", '{"city": "Ulm"}'],
    ["text", "'' + call.function.arguments", '{"city":"Ulm"}'],
    ["a value of it", "'/' + call.function.arguments.city", "/Ulm"],
  ])("shows arguments to a template that wants %s", async (_, shown, expected) => {
    expect(await promptOf(templateOf("<tool_call>", shown), "call_1")).toContain(`weather${expected}`);
  });

  it("names the tool of a result, and makes ids as long as Mistral's templates want them", async () => {
    const template = `[TOOL_CALLS]{{ tools | tojson }}{% for message in messages %}{% for tool_call in message.tool_calls %}{% if tool_call.id | length != 9 %}{{ raise_exception("length") }}{% endif %}<{{ tool_call.id }}>{% endfor %}{% if message.role == "tool" %}{{ message.name }}={{ message.tool_call_id }}{% endif %}{% endfor %}`;
    const prompt = await promptOf(template, "call_0123456789abcdef");
    expect(prompt).toContain("<789abcdef>weather=789abcdef");
    expect(await promptOf(template, "x1")).toContain("<0000000x1>weather=0000000x1");
    const longer = template.replace("!= 9", "< 9");
    expect(await promptOf(longer, "x1")).toContain("<0000000x1>weather=0000000x1");
  });
});
