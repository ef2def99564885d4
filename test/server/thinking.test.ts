import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText } from "ai";
import { Ollama } from "ollama";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LanguageModel, loadModel } from "#dist/index.js";
import type { Tokenizer } from "#dist/text/tokenizer.js";
import { makeThinkingModel, openTemplate, thinkingTemplate, toolCall } from "../support/thinking-model.js";
import { openServer, type OpenServer } from "./open-server.js";

const messages = [{ role: "user", content: "Hi" }];
/** "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n": one token per byte, and four tags. */
const promptTokens = 21;
/** With "<think>\n\n</think>\n\n". */
const noThinkPromptTokens = 25;

type Json = Readonly<Record<string, unknown>>;

interface Completion {
  readonly choices: readonly {
    readonly message: Json;
    readonly finish_reason: string;
    readonly logprobs: Json;
  }[];
  readonly usage: Json & { readonly prompt_tokens: number };
}

interface OllamaAnswer {
  readonly message: Json;
  readonly prompt_eval_count: number;
  readonly eval_count: number;
  readonly error?: string;
}

let model: LanguageModel;
let tokenizer: Tokenizer;
let server: OpenServer;
beforeAll(async () => {
  const made = await makeThinkingModel();
  tokenizer = made.tokenizer;
  model = await loadModel(made.bytes, { threads: 1 });
  server = await openServer(model);
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

const count = (text: string): number =>
  tokenizer.encode(text, { addSpecial: false, parseSpecial: true }).length;

describe("OpenAI's chat with a model that thinks", () => {
  async function complete(fields: Json = {}): Promise<Completion> {
    const response = await server.post("/v1/chat/completions", { messages, temperature: 0, ...fields });
    expect(response.status).toBe(200);
    return (await response.json()) as Completion;
  }
  async function refusal(fields: Json): Promise<readonly [number, string | null, string]> {
    const response = await server.post("/v1/chat/completions", { messages, ...fields });
    const { error } = (await response.json()) as { error: { param: string | null; message: string } };
    return [response.status, error.param, error.message];
  }

  it("gives the thought as reasoning_content, and counts it", async () => {
    const { choices, usage } = await complete();
    expect(choices[0]?.message).toEqual({
      role: "assistant",
      content: "So.",
      reasoning_content: "why",
      refusal: null,
    });
    expect(usage).toEqual({
      prompt_tokens: promptTokens,
      completion_tokens: 10,
      total_tokens: promptTokens + 10,
      completion_tokens_details: { reasoning_tokens: 6 },
    });
  });

  it("streams it before the answer", async () => {
    const body = { messages, temperature: 0, stream: true, stream_options: { include_usage: true } };
    const response = await server.post("/v1/chat/completions", body);
    const chunks = (await response.text())
      .split("\n\n")
      .filter((event) => event.startsWith("data: {"))
      .map((event) => JSON.parse(event.slice(6)) as { choices: { delta: Json }[]; usage?: Json });
    const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta));
    expect(deltas).toEqual([
      { role: "assistant", content: "" },
      ...[..."why"].map((letter) => ({ reasoning_content: letter })),
      ...[..."So."].map((letter) => ({ content: letter })),
      {},
    ]);
    expect(chunks.at(-1)?.usage).toMatchObject({ completion_tokens_details: { reasoning_tokens: 6 } });
  });

  it.each<[string, Json]>([
    ["chat_template_kwargs", { chat_template_kwargs: { enable_thinking: false } }],
    ["reasoning_effort", { reasoning_effort: "none" }],
    [
      "both, of which the first decides",
      { chat_template_kwargs: { enable_thinking: false }, reasoning_effort: "high" },
    ],
  ])("does not think if switched off by %s", async (_, fields) => {
    const { choices, usage } = await complete(fields);
    expect(choices[0]?.message).toEqual({ role: "assistant", content: "So.", refusal: null });
    expect(usage).toMatchObject({
      prompt_tokens: noThinkPromptTokens,
      completion_tokens: 4,
      completion_tokens_details: { reasoning_tokens: 0 },
    });
  });

  it("thinks with every other effort", async () => {
    for (const effort of ["minimal", "low", "medium", "high", "xhigh"]) {
      const { usage } = await complete({ reasoning_effort: effort });
      expect(usage.prompt_tokens).toBe(promptTokens);
    }
  });

  it.each<[string, number, string]>([
    ["thinking_budget_tokens", 2, "wh"],
    ["thinking_token_budget", 1, "w"],
    ["thinking_budget_tokens", 0, ""],
    ["thinking_budget_tokens", -1, "why"],
  ])("ends the thought at a %s of %i", async (field, budget, thought) => {
    const { choices } = await complete({ [field]: budget });
    const { content, reasoning_content: given = "" } = choices[0]?.message ?? {};
    expect([given, content]).toEqual([thought, "So."]);
  });

  it("gives log-probabilities of the answer only", async () => {
    const { choices } = await complete({ logprobs: true });
    const { content } = choices[0]?.logprobs as { content: { token: string }[] };
    expect(content.map(({ token }) => token)).toEqual(["S", "o", "."]);
  });

  it("keeps the answer to a schema, and stop strings to the answer", async () => {
    const format = { type: "json_schema", json_schema: { name: "x", schema: { const: "x" } } };
    const { choices } = await complete({ response_format: format, stop: ["y"] });
    expect(choices[0]?.message).toMatchObject({ content: '"x"', reasoning_content: "why" });
  });

  it("gives messages' thoughts to the template, which leaves earlier ones out", async () => {
    const earlier = [
      ...messages,
      { role: "assistant", content: "So.", reasoning_content: "why" },
      { role: "user", content: "Hi" },
    ];
    const { usage } = await complete({ messages: earlier });
    const said = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    expect(usage.prompt_tokens).toBe(count(`${said}So.<|im_end|>\n${said}`));
  });

  it("continues the last message", async () => {
    const said = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    const ask = (last: Json, fields: Json = {}): Promise<Completion> =>
      complete({
        messages: [...messages, { role: "assistant", ...last }],
        continue_final_message: true,
        ...fields,
      });
    const answer = await ask({ content: "S" }, { add_generation_prompt: false });
    expect(answer.choices[0]?.message).toMatchObject({ content: "o." });
    expect(answer.usage).toMatchObject({
      prompt_tokens: count(`${said}S`),
      completion_tokens_details: { reasoning_tokens: 0 },
    });
    const thought = await ask({ content: null, reasoning_content: "w" });
    expect(thought.choices[0]?.message).toMatchObject({ content: "So.", reasoning_content: "hy" });
    expect(thought.usage.prompt_tokens).toBe(count(`${said}<think>\nw`));
  });

  it.each<[Json, string | null, RegExp]>([
    [{ continue_final_message: true }, null, /not the assistant's/],
    [{ continue_final_message: true, add_generation_prompt: true }, "add_generation_prompt", /excludes/],
    [{ add_generation_prompt: false }, "add_generation_prompt", /needs continue_final_message/],
    [{ chat_template_kwargs: { messages: [] } }, null, /"messages": templates are always/],
    [{ chat_template_kwargs: "x" }, "chat_template_kwargs", /Invalid/],
    [{ reasoning_effort: "some" }, "reasoning_effort", /Invalid/],
    [{ thinking_budget_tokens: -2 }, "thinking_budget_tokens", /Invalid/],
  ])("refuses %j", async (fields, param, message) => {
    expect(await refusal(fields)).toEqual([400, param, expect.stringMatching(message)]);
  });

  it("has no budget in completions", async () => {
    const response = await server.post("/v1/completions", { prompt: "a", thinking_budget_tokens: 1 });
    expect(response.status).toBe(400);
  });

  it("is understood by the AI SDK", async () => {
    const provider = createOpenAICompatible({ name: "bitnet", baseURL: `${server.url}/v1` });
    const { text, reasoningText } = await generateText({
      model: provider("any"),
      prompt: "Hi",
      temperature: 0,
    });
    expect([reasoningText, text]).toEqual(["why", "So."]);
  });
});

describe("Ollama's routes with a model that thinks", () => {
  async function chat(fields: Json): Promise<OllamaAnswer> {
    const body = { messages, options: { temperature: 0 }, stream: false, ...fields };
    return (await (await server.post("/api/chat", body)).json()) as OllamaAnswer;
  }

  it.each<[unknown, number, string | undefined]>([
    [true, promptTokens, "why"],
    [undefined, promptTokens, "why"],
    [null, promptTokens, "why"],
    ["low", promptTokens, "why"],
    ["high", promptTokens, "why"],
    [false, noThinkPromptTokens, undefined],
  ])("think %j", async (think, prompt, thinking) => {
    const { message, prompt_eval_count: evaluated } = await chat({ think });
    expect(evaluated).toBe(prompt);
    expect(message).toEqual({
      role: "assistant",
      content: "So.",
      ...(thinking !== undefined && { thinking }),
    });
  });

  it("streams to Ollama's own client, and takes its messages back", async () => {
    const client = new Ollama({ host: server.url });
    const options = { temperature: 0 };
    let [thinking, content] = ["", ""];
    for await (const { message } of await client.chat({
      model: "any",
      messages,
      think: true,
      stream: true,
      options,
    })) {
      expect([message.thinking ?? "", message.content]).toContain("");
      thinking += message.thinking ?? "";
      content += message.content;
    }
    expect([thinking, content]).toEqual(["why", "So."]);
    const next = [...messages, { role: "assistant", content, thinking }, ...messages];
    const answer = await client.chat({ model: "any", messages: next, think: false, options });
    const said = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    expect(answer.prompt_eval_count).toBe(count(`${said}So.<|im_end|>\n${said}<think>\n\n</think>\n\n`));
    expect((await client.show({ model: "any" })).capabilities).toContain("thinking");
  });

  it("think in /api/generate too, and in raw prompts if they ask for it", async () => {
    const ask = async (fields: Json): Promise<Json> => {
      const body = { prompt: "Hi", options: { temperature: 0 }, stream: false, ...fields };
      return (await (await server.post("/api/generate", body)).json()) as Json;
    };
    expect(await ask({})).toMatchObject({ response: "So.", thinking: "why" });
    const quiet = await ask({ think: false });
    expect(quiet).toMatchObject({ response: "So.", prompt_eval_count: noThinkPromptTokens });
    expect(quiet).not.toHaveProperty("thinking");
    expect(await ask({ prompt: "a\n", raw: true })).toMatchObject({
      response: "<think>why</think>\n\nSo.",
    });
    expect(await ask({ prompt: "a\n", raw: true, think: true })).toMatchObject({
      response: "So.",
      thinking: "why",
    });
  });

  it("keep the answer to a format", async () => {
    const { message } = await chat({ format: { const: "x" } });
    expect(message).toMatchObject({ content: '"x"', thinking: "why" });
  });

  it("refuse a template, and other values of think", async () => {
    const body = { messages, think: 3 };
    expect((await server.post("/api/chat", body)).status).toBe(400);
    const response = await server.post("/api/generate", { prompt: "Hi", template: "{{ .Prompt }}" });
    expect(response.status).toBe(400);
    expect(((await response.json()) as OllamaAnswer).error).toMatch(/template/);
  });
});

describe("a model without a switch", () => {
  const tries: readonly (readonly [string, Json])[] = [
    ["/api/chat", { messages, stream: false, options: { num_predict: 1 } }],
    ["/api/generate", { prompt: "Hi", stream: false, options: { num_predict: 1 } }],
  ];

  it("that does not think refuses to, as Ollama's do", async () => {
    await using storyteller = await loadModel(undefined, { threads: 1 });
    const other = await openServer(storyteller);
    try {
      for (const [path, body] of tries) {
        const refused = await other.post(path, { ...body, think: true });
        expect([refused.status, ((await refused.json()) as OllamaAnswer).error]).toEqual([
          400,
          expect.stringMatching(/does not support thinking/),
        ]);
        expect((await other.post(path, { ...body, think: false })).status).toBe(200);
      }
      const fields = { messages, max_tokens: 1, reasoning_effort: "high", thinking_budget_tokens: 1 };
      const response = await other.post("/v1/chat/completions", fields);
      expect((await response.json()) as Completion).toMatchObject({ usage: { completion_tokens: 1 } });
    } finally {
      await other.close();
    }
  });

  it("that always thinks refuses not to", async () => {
    const { bytes } = await makeThinkingModel({ chatTemplate: openTemplate });
    await using thinker = await loadModel(bytes, { threads: 1 });
    const other = await openServer(thinker);
    try {
      expect((await other.post("/api/chat", { messages, think: false })).status).toBe(400);
      const body = { messages, reasoning_effort: "none" };
      expect((await other.post("/v1/chat/completions", body)).status).toBe(400);
      const ask = { messages, temperature: 0, thinking_budget_tokens: 1 };
      const response = await other.post("/v1/chat/completions", ask);
      expect(((await response.json()) as Completion).choices[0]?.message).toMatchObject({
        content: "So.",
        reasoning_content: "w",
      });
    } finally {
      await other.close();
    }
  });
});

describe("tool calls of a model that thinks", () => {
  const answer = toolCall.replace("{}", '{"city":"Ulm"}');
  const parameters = {
    type: "object",
    properties: { city: { const: "Ulm" } },
    required: ["city"],
    additionalProperties: false,
  };
  const tools = [{ type: "function", function: { name: "f", parameters } }];
  let caller: LanguageModel;
  let other: OpenServer;
  beforeAll(async () => {
    const chatTemplate = `{%- if tools %}{{- tools | tojson + ' <tool_call>\\n' }}{%- endif %}${thinkingTemplate}`;
    const { bytes } = await makeThinkingModel({
      ...{ thought: `w${toolCall}y`, answer, chatTemplate, more: [toolCall, answer] },
    });
    caller = await loadModel(bytes, { threads: 1 });
    other = await openServer(caller);
  });
  afterAll(async () => {
    await other.close();
    await caller.dispose();
  });

  const call = { function: { name: "f", arguments: '{"city":"Ulm"}' } };

  it("are those of the answer, not those of the thought", async () => {
    const body = { messages, tools, temperature: 0 };
    const response = await other.post("/v1/chat/completions", body);
    const { choices } = (await response.json()) as Completion;
    expect(choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: { content: null, reasoning_content: `w${toolCall}y`, tool_calls: [call] },
    });
    expect(choices[0]?.message.tool_calls).toHaveLength(1);

    const native = await other.post("/api/chat", { ...body, stream: false });
    expect(((await native.json()) as OllamaAnswer).message).toEqual({
      role: "assistant",
      content: "",
      thinking: `w${toolCall}y`,
      tool_calls: [{ function: { name: "f", arguments: { city: "Ulm" } } }],
    });
  });

  it("may be thought about where one is required", async () => {
    const body = { messages, tools, temperature: 0, tool_choice: "required", max_tokens: 200 };
    const response = await other.post("/v1/chat/completions", body);
    const { choices } = (await response.json()) as Completion;
    expect(choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: {
        reasoning_content: `w${toolCall}y`,
        tool_calls: [{ function: { name: "f" } }],
      },
    });
    // The grammar allows white space, and arguments are as the model writes them.
    const [written] = (choices[0]?.message.tool_calls ?? []) as (typeof call)[];
    expect(JSON.parse(written?.function.arguments ?? "")).toEqual({ city: "Ulm" });
  });
});
