import { Ollama } from "ollama";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LanguageModel } from "#dist/index.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { loadWithTemplate, taggedTemplate } from "../support/templated-model.js";
import { openServer, type OpenServer } from "./open-server.js";

const messages = [{ role: "user", content: "Hi" }];
let model: LanguageModel;
let server: OpenServer;
beforeAll(async () => {
  model = await loadWithTemplate(`{{ bos_token }}${taggedTemplate}`);
  server = await openServer(model, { modelName: "teller", parallel: 3 });
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

it("/props describes the model", async () => {
  const { tokenizer } = internalsOf(model);
  const spell = (id: number | undefined): string => tokenizer.decode([id ?? 0], { skipSpecial: false });
  expect(await (await fetch(`${server.url}/props`)).json()).toEqual({
    default_generation_settings: { n_ctx: 2048 },
    total_slots: 3,
    model_alias: "teller",
    model_path: "",
    chat_template: `{{ bos_token }}${taggedTemplate}`,
    bos_token: spell(tokenizer.bosId),
    eos_token: spell(tokenizer.eosId),
    modalities: { vision: false, audio: false },
    build_info: "bitnet-wasm",
  });
});

it("/apply-template gives the prompt of a chat, which completions take", async () => {
  const tools = [{ type: "function", function: { name: "weather" } }];
  const { prompt } = (await (await server.post("/apply-template", { messages, tools })).json()) as {
    readonly prompt: string;
  };
  const { tokenizer } = internalsOf(model);
  expect(prompt.startsWith(tokenizer.decode([tokenizer.bosId ?? 0], { skipSpecial: false }))).toBe(true);
  expect(prompt).toContain("weather");
  expect(prompt).toMatch(/user: Hi\s*assistant: ?$/);
  const ask = { temperature: 0, max_tokens: 8 };
  const text = async (path: string, body: object): Promise<unknown> => {
    const { choices, usage } = (await (await server.post(path, { ...ask, ...body })).json()) as {
      readonly choices: readonly [
        { readonly text?: string; readonly message?: { readonly content: string } },
      ];
      readonly usage: object;
    };
    return [choices[0].text ?? choices[0].message?.content, usage];
  };
  const completed = await text("/v1/completions", { prompt, parse_special: true });
  expect(completed).toEqual(await text("/v1/chat/completions", { messages, tools }));
});

it("/api/pull succeeds for the loaded model, and for no other", async () => {
  const client = new Ollama({ host: server.url });
  for (const name of ["teller", "teller:latest"]) {
    expect(await client.pull({ model: name })).toEqual({ status: "success" });
  }
  const states: string[] = [];
  for await (const { status } of await client.pull({ model: "teller", stream: true })) states.push(status);
  expect(states).toEqual(["pulling manifest", "success"]);
  await expect(client.pull({ model: "llama3" })).rejects.toThrow(/"llama3".*has "teller"/);
  expect((await server.post("/api/pull", { name: "teller" })).status).toBe(200);
  expect((await server.post("/api/pull", {})).status).toBe(400);
});

it("/api/embeddings is what Ollama's client calls", async () => {
  const { embedding } = await new Ollama({ host: server.url }).embeddings({
    model: "teller",
    prompt: "A fox.",
  });
  expect(embedding).toHaveLength(model.info.width);
});

it("every protocol is found without /v1, and with a slash at the end", async () => {
  for (const slash of ["", "/"]) {
    const paths: [string, object][] = [
      ["/chat/completions", { messages, max_tokens: 1 }],
      ["/completions", { prompt: "A", max_tokens: 1 }],
      ["/embeddings", { input: "A" }],
      ["/responses", { input: "A", max_output_tokens: 1 }],
      ["/messages", { messages, max_tokens: 1 }],
      ["/messages/count_tokens", { messages }],
    ];
    for (const [path, body] of paths) {
      expect([path, (await server.post(path + slash, body)).status]).toEqual([path, 200]);
      expect([path, (await server.post(`/v1${path}${slash}`, body)).status]).toEqual([path, 200]);
    }
  }
  expect((await server.post("/v1/rerank", {})).status).toBe(501);
});
