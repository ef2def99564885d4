import { afterAll, beforeAll, expect, test } from "vitest";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { makeChainModel } from "../support/chain-model.js";
import { openServer, type OpenServer } from "./open-server.js";

/** One token each. The model writes both calls. */
const firstCall = ['<tool_call>\n{"name": "weather", "arguments": ', '{"city": "Ulm"}', "}\n</tool_call>"];
const secondCall = ['\n<tool_call>\n{"name": "time", "arguments": ', "{}", "} \n</tool_call>"];
const endTokens = 1;

let model: LanguageModel;
let server: OpenServer;

beforeAll(async () => {
  const calls = [...firstCall, ...secondCall];
  const { bytes } = await makeChainModel(
    {
      chatTemplate: `{% if tools %}Tools as <tool_call>:{% for tool in tools %} {{ tool.function.name }}{% endfor %}{% endif %}{% for m in messages %}{{ m.role + m.content }}{% endfor %}<|go|>`,
      controls: ["<|bos|>", "<|im_end|>", "<|go|>"],
      userDefined: calls,
    },
    [`<|go|>${calls.join("")}<|im_end|>`],
  );
  model = await loadModel(bytes, { threads: 1 });
  server = await openServer(model);
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

const messages = [{ role: "user", content: "A" }];
const names = ["weather", "time"];
const functions = names.map((name) => ({ name, parameters: {} }));
const chat = {
  messages,
  temperature: 0,
  tools: functions.map((each) => ({ type: "function", function: each })),
};

/** The calls of an answer, its end and its number of tokens. */
interface Told {
  readonly names: readonly string[];
  readonly reason: unknown;
  readonly generated: number;
}

interface Route {
  readonly title: string;
  readonly path: string;
  readonly body: object;
  /** The fields that ask for one call. */
  readonly single: object;
  readonly reason: unknown;
  readonly read: (answer: never) => Told;
}
interface Named {
  readonly function: { readonly name: string };
}
const routes: readonly Route[] = [
  {
    title: "chat completions",
    path: "/v1/chat/completions",
    body: chat,
    single: { parallel_tool_calls: false },
    reason: "tool_calls",
    read: ({
      choices: [choice],
      usage,
    }: {
      choices: [{ finish_reason: string; message: { tool_calls: Named[] } }];
      usage: { completion_tokens: number };
    }) => ({
      names: choice.message.tool_calls.map((call) => call.function.name),
      reason: choice.finish_reason,
      generated: usage.completion_tokens,
    }),
  },
  {
    title: "responses",
    path: "/v1/responses",
    body: { input: "A", temperature: 0, tools: functions.map((each) => ({ type: "function", ...each })) },
    single: { parallel_tool_calls: false },
    reason: "completed",
    read: (answer: { output: { name: string }[]; status: string; usage: { output_tokens: number } }) => ({
      names: answer.output.map(({ name }) => name),
      reason: answer.status,
      generated: answer.usage.output_tokens,
    }),
  },
  {
    title: "messages",
    path: "/v1/messages",
    body: {
      ...{ messages, temperature: 0, max_tokens: 20 },
      tools: names.map((name) => ({ name, input_schema: {} })),
    },
    single: { tool_choice: { type: "auto", disable_parallel_tool_use: true } },
    reason: "tool_use",
    read: (answer: {
      content: { name: string }[];
      stop_reason: string;
      usage: { output_tokens: number };
    }) => ({
      names: answer.content.map(({ name }) => name),
      reason: answer.stop_reason,
      generated: answer.usage.output_tokens,
    }),
  },
  {
    title: "Ollama's chat",
    path: "/api/chat",
    body: { ...chat, stream: false },
    single: { parallel_tool_calls: false },
    reason: "stop",
    read: (answer: { message: { tool_calls: Named[] }; done_reason: string; eval_count: number }) => ({
      names: answer.message.tool_calls.map((call) => call.function.name),
      reason: answer.done_reason,
      generated: answer.eval_count,
    }),
  },
];

test.each(routes)("$title end at the first call where a request wants one", async (route) => {
  const { path, body, single, reason, read } = route;
  const all = await server.post(path, body);
  expect(read((await all.json()) as never)).toEqual({
    names,
    reason,
    generated: firstCall.length + secondCall.length + endTokens,
  });
  const one = await server.post(path, { ...body, ...single });
  expect(read((await one.json()) as never)).toEqual({
    names: ["weather"],
    reason,
    generated: firstCall.length,
  });
  const streamed = await (await server.post(path, { ...body, ...single, stream: true })).text();
  expect(streamed).toContain("weather");
  // Each response repeats the tools.
  expect(streamed.replaceAll(/"tools":\[.*?\]/g, "")).not.toContain('"time"');
});

test("a stream's usage and reason are those of one call", async () => {
  const response = await server.post("/v1/chat/completions", {
    ...chat,
    parallel_tool_calls: false,
    stream: true,
    stream_options: { include_usage: true },
  });
  const streamed = await response.text();
  expect(streamed).toContain('"finish_reason":"tool_calls"');
  expect(streamed).toMatch(new RegExp(`"completion_tokens":${firstCall.length},`));
});

test("the older form has one call, and several texts are watched apart", async () => {
  const older = await server.post("/v1/chat/completions", { messages, temperature: 0, functions });
  expect(await older.json()).toMatchObject({
    choices: [{ finish_reason: "function_call", message: { function_call: { name: "weather" } } }],
    usage: { completion_tokens: firstCall.length },
  });
  const several = await server.post("/v1/chat/completions", { ...chat, parallel_tool_calls: false, n: 3 });
  const { usage } = (await several.json()) as { readonly usage: { readonly completion_tokens: number } };
  expect(usage.completion_tokens).toBe(3 * firstCall.length);
});
