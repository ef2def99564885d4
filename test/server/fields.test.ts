import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { countFields, messageFields } from "#dist/server/anthropic/messages.js";
import { chatFields as ollamaChatFields } from "#dist/server/ollama/chat.js";
import { embedFields, legacyEmbedFields } from "#dist/server/ollama/embed.js";
import { generateFields } from "#dist/server/ollama/generate.js";
import { pullFields } from "#dist/server/ollama/pull.js";
import { applyTemplateFields } from "#dist/server/model-routes.js";
import { chatFields } from "#dist/server/openai/chat.js";
import { completionFields } from "#dist/server/openai/completions.js";
import { embeddingFields } from "#dist/server/openai/embeddings.js";
import { responseFields } from "#dist/server/openai/responses/route.js";
import { detokenizeFields, tokenizeFields } from "#dist/server/token-routes.js";
import { runScript } from "../support/run-script.js";
import { openServer, type OpenServer } from "./open-server.js";

let model: LanguageModel;
let server: OpenServer;
const failures: unknown[] = [];
beforeAll(async () => {
  // The small context ends texts soon.
  model = await loadModel(undefined, { threads: 1, contextLength: 24 });
  server = await openServer(model, { modelName: "storyteller", onError: (error) => failures.push(error) });
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

const chat = { messages: [{ role: "user", content: "Hi" }], max_tokens: 2 };
const ollama = { options: { num_predict: 2 }, stream: false };
const routes = [
  { path: "/v1/chat/completions", fields: chatFields, valid: chat },
  { path: "/v1/completions", fields: completionFields, valid: { prompt: "The fox", max_tokens: 2 } },
  { path: "/v1/embeddings", fields: embeddingFields, valid: { input: ["A fox."] } },
  { path: "/v1/responses", fields: responseFields, valid: { input: "Hi", max_output_tokens: 2 } },
  { path: "/v1/messages", fields: messageFields, valid: chat },
  { path: "/v1/messages/count_tokens", fields: countFields, valid: { messages: chat.messages } },
  { path: "/api/chat", fields: ollamaChatFields, valid: { messages: chat.messages, ...ollama } },
  { path: "/api/generate", fields: generateFields, valid: { prompt: "The fox", ...ollama } },
  { path: "/api/embed", fields: embedFields, valid: { input: "A fox." } },
  { path: "/api/embeddings", fields: legacyEmbedFields, valid: { prompt: "A fox." } },
  { path: "/api/pull", fields: pullFields, valid: { model: "storyteller" } },
  { path: "/apply-template", fields: applyTemplateFields, valid: { messages: chat.messages } },
  { path: "/tokenize", fields: tokenizeFields, valid: { content: "A fox." } },
  { path: "/detokenize", fields: detokenizeFields, valid: { tokens: [1, 2] } },
];

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly ignored: string | null;
}
async function ask(path: string, body: unknown): Promise<Answer> {
  const response = await server.post(path, body);
  const ignored = response.headers.get("x-ignored-fields");
  return { status: response.status, text: await response.text(), ignored };
}

/** A body with a value at a path of the rules. */
function withValue(body: object, path: string, value: unknown): object {
  const [step = "", ...rest] = path.split(".");
  const name = step.replace("[]", "");
  const inner = (body as Readonly<Record<string, unknown>>)[name];
  if (rest.length === 0) return { ...body, [name]: value };
  if (!step.endsWith("[]")) return { ...body, [name]: withValue(inner ?? {}, rest.join("."), value) };
  const list = (inner as readonly object[] | undefined) ?? [{}];
  return { ...body, [name]: list.map((each) => withValue(each, rest.join("."), value)) };
}

describe.each(routes)("$path", ({ path, fields, valid }) => {
  const { used, harmless, refused, objects = {} } = fields;

  it("answers a valid request, and notes nothing", async () => {
    expect(await ask(path, valid)).toMatchObject({ status: 200, ignored: null });
  });

  it("gives each field one rule", () => {
    const inner = Object.entries(objects).flatMap(([object, names]) =>
      names.map((name) => `${object}.${name}`),
    );
    const all = [...used, ...inner, ...harmless, ...Object.keys(refused)];
    expect(all.filter((name, index) => all.indexOf(name) !== index)).toEqual([]);
  });

  it("answers harmless fields with any value, and notes nothing", async () => {
    for (const name of harmless.filter((each) => !each.startsWith("tools"))) {
      for (const value of [1, "x", true, { a: 1 }]) {
        expect([name, await ask(path, withValue(valid, name, value))]).toMatchObject([
          name,
          { status: 200, ignored: null },
        ]);
      }
    }
  });

  it("refuses each refused field by name and reason, and takes values that ask for nothing", async () => {
    for (const [name, { advice }] of Object.entries(refused)) {
      const value = name === "modalities" ? ["text", "audio"] : ["x"];
      const { status, text } = await ask(path, withValue(valid, name, value));
      expect([name, status]).toEqual([name, 400]);
      expect(text).toContain(JSON.stringify(advice).slice(1, -1));
      expect(text).toContain(name.replace("[]", ".0"));
      const nothing = await ask(path, withValue(valid, name, name === "modalities" ? ["text"] : null));
      // A restricted object may want other fields.
      if (!name.startsWith("response_format.")) expect([name, nothing.status]).toEqual([name, 200]);
    }
  });

  it("refuses misspelt fields, and notes unknown ones", async () => {
    const [, long = ""] = used.filter((name) => name.length > 4);
    for (const name of [long.slice(1), `${long}s`, long.toUpperCase(), `_${long}`].filter(
      () => long !== "",
    )) {
      const { status, text } = await ask(path, { ...valid, [name]: 1 });
      expect([name, status, text]).toEqual([name, 400, expect.stringContaining(`did you mean `) as string]);
    }
    const unknown = await ask(path, { ...valid, "made-up, by ü\r\n\ud800": 1, x_option: null });
    expect(unknown).toMatchObject({ status: 200, ignored: "made-up%2C%20by%20%C3%BC%0D%0A%3F, x_option" });
  });

  it("has no status of 500 for any value of any field", async () => {
    const names = [
      ...used,
      ...harmless,
      ...Object.keys(refused),
      ...Object.entries(objects).flatMap(([object, list]) => list.map((name) => `${object}.${name}`)),
      ..."messages[].role messages[].content messages[].tool_calls messages[].name tools[].function.parameters".split(
        " ",
      ),
    ];
    const odd = fc.oneof(
      fc.constantFrom<unknown>(null, true, "", "x", -1, 0, 2 ** 31, 1e308, [], {}, [[]], [null], {
        type: "x",
      }),
      fc.constantFrom<unknown>({ "99999": 1 }, { "-1": 1 }, [99_999], [[99_999]], "\u0000", "\ud800", [
        "\udfff",
      ]),
      fc.jsonValue({ maxDepth: 4 }),
    );
    const changes = fc.array(fc.tuple(fc.constantFrom(...names), odd), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const body = list.reduce<object>((changed, [name, value]) => {
          try {
            return withValue(changed, name, value);
          } catch {
            // An earlier change has replaced the list.
            return changed;
          }
        }, valid);
        const { status, text } = await ask(path, body);
        expect([JSON.stringify(body), text, status < 500]).toEqual([JSON.stringify(body), text, true]);
      }),
      { numRuns: 150 },
    );
    expect(failures).toEqual([]);
  });
});

describe("a schema", () => {
  const schema = { enum: ["only this"] };
  const formats: Record<string, object> = {
    "json_object with schema": { response_format: { type: "json_object", schema } },
    "json_object with json_schema": { response_format: { type: "json_object", json_schema: { schema } } },
    "json_schema with schema": { response_format: { type: "json_schema", schema } },
    OpenAI: { response_format: { type: "json_schema", json_schema: { name: "x", strict: true, schema } } },
    "llama.cpp": { json_schema: schema },
    vLLM: { guided_json: schema },
    "vLLM, as text": { guided_json: JSON.stringify(schema) },
    "vLLM, newer": { structured_outputs: { json: schema } },
  };
  it.each(Object.entries(formats))("of %s is kept", async (_, format) => {
    for (const { path, valid } of routes.slice(0, 2)) {
      const { status, text } = await ask(path, { ...valid, max_tokens: 16, ...format });
      expect([status, text]).toEqual([200, expect.stringContaining('\\"only this\\"') as string]);
    }
  });

  it.each<[object, string]>([
    [{ response_format: { type: "json_schema" } }, "json_schema.schema"],
    [{ response_format: { type: "json_schema", json_schema: { name: "x" } } }, "json_schema.schema"],
    [{ response_format: { type: "json_schema", schema, json_schema: { schema } } }, "two schemas"],
    [{ response_format: { type: "json_object", schema: [] } }, "response_format.schema"],
    [{ response_format: { type: "json_object", shema: schema } }, "did you mean response_format.schema"],
    [{ response_format: { type: "json_object" }, guided_json: schema }, "response_format gives a schema too"],
    [{ guided_json: "{" }, "guided_json"],
    [{ guided_json: "1" }, "guided_json"],
    [{ grammar: 'root ::= "x"' }, "JSON schema in response_format"],
    [{ structured_outputs: { regex: "a+" } }, "JSON schema in response_format"],
    [{ json_schema: { not: {} } }, "not"],
  ])("is refused where it cannot be kept: %j", async (format, why) => {
    for (const { path, valid } of routes.slice(0, 2)) {
      expect(await ask(path, { ...valid, ...format })).toMatchObject({
        status: 400,
        text: expect.stringContaining(why) as string,
      });
    }
  });

  it.each([250, 4000, 20_000])("of %d levels is refused", async (levels) => {
    const deep = (begin: string, end: string): string => begin.repeat(levels) + "1" + end.repeat(levels);
    for (const text of [deep('{"items":', "}"), `{"const":${deep("[", "]")}}`]) {
      if (levels === 250 && text.includes("const")) continue;
      const bodies: [string, string][] = [
        ["/v1/completions", `{"prompt":"A","response_format":{"type":"json_object","schema":${text}}}`],
        ["/api/generate", `{"prompt":"A","stream":false,"format":${text}}`],
      ];
      for (const [path, body] of bodies) {
        const answer = await ask(path, body);
        expect(answer).toMatchObject({ status: 400, text: expect.stringContaining("deep") as string });
      }
    }
    expect(failures).toEqual([]);
  });
});

describe("biases and ids", () => {
  const size = (): number => model.info.vocabSize;

  it("outside the vocabulary are refused", async () => {
    for (const id of [size(), 2 ** 53 - 1, 1e300]) {
      const bias = { logit_bias: { [String(BigInt(id))]: 1 } };
      for (const { path, valid } of routes.slice(0, 2)) {
        expect(await ask(path, { ...valid, ...bias })).toMatchObject({ status: 400 });
      }
      expect(await ask("/v1/completions", { prompt: [1, id] })).toMatchObject({ status: 400 });
      expect(await ask("/detokenize", { tokens: [1, id] })).toMatchObject({ status: 400 });
    }
    await expect(model.complete("A", { logitBias: { [size()]: 1 } })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { option: "logitBias" },
    });
  });

  it("that forbid everything are refused", async () => {
    const all = Object.fromEntries(Array.from({ length: size() }, (_, id) => [String(id), -100]));
    for (const temperature of [0, 1]) {
      for (const stream of [false, true]) {
        const answer = await ask("/v1/completions", { prompt: "A", temperature, stream, logit_bias: all });
        expect(answer).toMatchObject({ status: 400, text: expect.stringContaining("every token") as string });
      }
    }
    await expect(
      model.complete("A", {
        logitBias: new Map(Array.from({ length: size() }, (_, id) => [id, -Infinity] as const)),
      }),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    // Here the schema allows only tokens that the biases forbid.
    const some = Object.fromEntries(Object.entries(all).slice(1));
    const forced = await ask("/v1/completions", {
      prompt: "A",
      logit_bias: some,
      response_format: { type: "json_object" },
    });
    expect(forced).toMatchObject({ status: 400, text: expect.stringContaining("logitBias") as string });
    expect(failures).toEqual([]);
  });
});

it("dimensions are those of the model", async () => {
  const { width } = model.info;
  for (const path of ["/api/embed", "/v1/embeddings"]) {
    expect(await ask(path, { input: "A", dimensions: width })).toMatchObject({ status: 200 });
    expect(await ask(path, { input: "A", dimensions: width / 2 })).toMatchObject({ status: 400 });
  }
});

it("docs/guide/server.md has the rules of every route", async () => {
  const { stdout, status } = await runScript("scripts/field-docs.mjs", ["--check"]);
  expect([stdout, status]).toEqual([`field-docs: ${routes.length} routes, as documented\n`, 0]);
});

it("routes are found without /v1, with a slash at the end, and by their older names", async () => {
  for (const path of ["/chat/completions", "/v1/chat/completions/", "/chat/completions/"]) {
    expect([path, await ask(path, chat)]).toMatchObject([path, { status: 200 }]);
  }
  expect(await ask("/completions", { prompt: "A", max_tokens: 1 })).toMatchObject({ status: 200 });
  expect(await ask("/completions", { prompt: 1 })).toMatchObject({
    status: 400,
    text: expect.stringContaining("invalid_request_error") as string,
  });
  const { text } = await ask("/embeddings", { input: "A fox." });
  const { data } = JSON.parse(text) as {
    readonly data: readonly [{ readonly embedding: readonly number[] }];
  };
  const legacy = JSON.parse((await ask("/api/embeddings", { prompt: "A fox." })).text) as unknown;
  expect(legacy).toEqual({ embedding: data[0].embedding });
  for (const path of ["/models", "/v1/models/", "/health/"]) {
    expect([path, (await fetch(server.url + path)).status]).toEqual([path, 200]);
  }
});

it("routes that are missing on purpose say why", async () => {
  for (const path of [
    "/api/create",
    "/api/push",
    "/api/blobs/sha256:1",
    "/v1/audio/speech",
    "/v1/images/edits",
  ]) {
    const { status, text } = await ask(path, {});
    expect([path, status]).toEqual([path, 501]);
    expect(text).toMatch(/this server/);
    expect(JSON.parse(text)).toMatchObject({ error: path.startsWith("/api/") ? expect.any(String) : {} });
  }
  const response = await fetch(`${server.url}/api/delete`, { method: "DELETE", body: "{}" });
  expect(response.status).toBe(501);
  expect(failures).toEqual([]);
});
