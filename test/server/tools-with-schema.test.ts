import { afterAll, beforeAll, expect, test } from "vitest";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { makeWeatherModel, weather } from "../support/weather-model.js";
import { openServer, type OpenServer } from "./open-server.js";

type Json = Readonly<Record<string, unknown>>;

let model: LanguageModel;
let server: OpenServer;

beforeAll(async () => {
  model = await loadModel((await makeWeatherModel()).bytes, { threads: 1 });
  server = await openServer(model);
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

const properties = { city: { type: "string", maxLength: 9 }, days: { type: "integer" } };
const schema = { type: "object", properties, required: ["city", "days"] };
const tool = { name: "weather", parameters: schema };
/** The model calls the tool, and writes JSON when it has the result. */
const question = { role: "user", content: "The weather as JSON?" };
const named = { name: "weather", schema };

/** A request in one protocol: with tools and a schema, before and after the tool's result. */
interface Protocol {
  readonly path: string;
  readonly body: Json;
  readonly asking: Json;
  readonly answered: Json;
  /** The fields that demand a call. Undefined: the protocol has none. */
  readonly forced: Json | undefined;
  /** The text of an answer, and the arguments of its calls. */
  readonly read: (answer: never) => { readonly text: string; readonly calls: readonly unknown[] };
}
const id = "call_1";
const openAiCall = {
  id,
  type: "function",
  function: { name: "weather", arguments: JSON.stringify(weather) },
};
const protocols: readonly Protocol[] = [
  {
    path: "/v1/chat/completions",
    body: {
      ...{ temperature: 0, max_tokens: 60, tools: [{ type: "function", function: tool }] },
      response_format: { type: "json_schema", json_schema: named },
    },
    asking: { messages: [question] },
    answered: {
      messages: [
        question,
        { role: "assistant", content: null, tool_calls: [openAiCall] },
        { role: "tool", tool_call_id: id, content: "Rain" },
      ],
    },
    forced: { tool_choice: "required" },
    read: ({
      choices: [{ message }],
    }: {
      choices: [{ message: { content: string | null; tool_calls?: { function: { arguments: string } }[] } }];
    }) => ({
      text: message.content ?? "",
      calls: (message.tool_calls ?? []).map((call): unknown => JSON.parse(call.function.arguments)),
    }),
  },
  {
    path: "/v1/responses",
    body: {
      ...{ temperature: 0, max_output_tokens: 60, tools: [{ type: "function", ...tool }] },
      text: { format: { type: "json_schema", ...named } },
    },
    asking: { input: [question] },
    answered: {
      input: [
        question,
        { type: "function_call", call_id: id, name: "weather", arguments: JSON.stringify(weather) },
        { type: "function_call_output", call_id: id, output: "Rain" },
      ],
    },
    forced: { tool_choice: "required" },
    read: ({ output }: { output: { content?: { text: string }[]; arguments?: string }[] }) => ({
      text: output.flatMap(({ content = [] }) => content.map(({ text }) => text)).join(""),
      calls: output.flatMap((item): unknown[] =>
        item.arguments === undefined ? [] : [JSON.parse(item.arguments) as unknown],
      ),
    }),
  },
  {
    path: "/v1/messages",
    body: {
      ...{ temperature: 0, max_tokens: 60, tools: [{ name: "weather", input_schema: schema }] },
      output_config: { format: { type: "json_schema", schema } },
    },
    asking: { messages: [question] },
    answered: {
      messages: [
        question,
        { role: "assistant", content: [{ type: "tool_use", id, name: "weather", input: weather }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: id, content: "Rain" }] },
      ],
    },
    forced: { tool_choice: { type: "any" } },
    read: ({ content }: { content: { text?: string; input?: unknown }[] }) => ({
      text: content.map(({ text = "" }) => text).join(""),
      calls: content.flatMap(({ input }) => (input === undefined ? [] : [input])),
    }),
  },
  {
    path: "/api/chat",
    body: {
      options: { temperature: 0, num_predict: 60 },
      tools: [{ type: "function", function: tool }],
      format: schema,
      stream: false,
    },
    asking: { messages: [question] },
    answered: {
      messages: [
        question,
        {
          role: "assistant",
          content: "",
          tool_calls: [{ function: { name: "weather", arguments: weather } }],
        },
        { role: "tool", tool_name: "weather", content: "Rain" },
      ],
    },
    forced: undefined,
    read: ({
      message,
    }: {
      message: { content: string; tool_calls?: { function: { arguments: unknown } }[] };
    }) => ({
      text: message.content,
      calls: (message.tool_calls ?? []).map((call) => call.function.arguments),
    }),
  },
];

async function ask(path: string, body: Json): Promise<never> {
  const response = await server.post(path, body);
  const text = await response.text();
  expect([response.status, text]).toEqual([200, expect.any(String)]);
  return JSON.parse(text) as never;
}

test.each(protocols)("$path has a call, or an answer by the schema", async (protocol) => {
  const { path, body, asking, answered, read } = protocol;
  expect(read(await ask(path, { ...body, ...asking }))).toEqual({ text: "", calls: [weather] });
  const answer = read(await ask(path, { ...body, ...answered }));
  expect([JSON.parse(answer.text), answer.calls]).toEqual([weather, []]);
});

test.each(protocols)("$path streams both", async ({ path, body, asking, answered }) => {
  const call = await (await server.post(path, { ...body, ...asking, stream: true })).text();
  expect(call).toMatch(/Ulm/);
  expect(call).not.toContain("<tool_call>");
  const answer = await (await server.post(path, { ...body, ...answered, stream: true })).text();
  expect(answer).toMatch(/Ulm/);
  expect(answer).not.toMatch(/"type":"(function_call|tool_use)"|"tool_calls":\[/);
});

test.each(protocols)(
  "$path keeps an answer to the schema that the model would not follow",
  async (protocol) => {
    const { path, body, read } = protocol;
    const other = JSON.parse(
      JSON.stringify({ ...body, ...protocol.asking })
        .replaceAll(JSON.stringify(schema), '{"const":"x"}')
        // The model does not know this tool, and writes text.
        .replaceAll('"weather"', '"other"')
        .replaceAll("as JSON", ""),
    ) as Json;
    const { text, calls } = read(await ask(path, other));
    if (calls.length === 0) expect(JSON.parse(text)).toBe("x");
    else expect(text).toBe("");
  },
);

test.each(protocols)(
  "$path refuses a wrong schema, and a forced call does not follow it",
  async (protocol) => {
    const { path, body, asking, forced, read } = protocol;
    const wrong = JSON.parse(JSON.stringify(body).replaceAll('"type":"integer"', '"type":"int"')) as Json;
    // Tools with a wrong schema take any object, so the refusal is about the answer's schema.
    for (const fields of [{}, forced ?? {}]) {
      const response = await server.post(path, { ...wrong, ...asking, ...fields });
      expect(response.status).toBe(400);
      expect(await response.text()).toMatch(/\\"int\\"|"int"/);
    }
    if (forced === undefined) return;
    expect(read(await ask(path, { ...body, ...asking, ...forced }))).toEqual({ text: "", calls: [weather] });
  },
);
