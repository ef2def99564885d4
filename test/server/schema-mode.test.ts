import { afterAll, beforeAll, expect, test } from "vitest";
import { type LanguageModel, loadModel, type SchemaWarning } from "#dist/index.js";
import { starterPath } from "../support/golden-path.js";
import { openServer, type OpenServer } from "./open-server.js";

type Json = Readonly<Record<string, unknown>>;

let model: LanguageModel;
let server: OpenServer;

beforeAll(async () => {
  model = await loadModel(starterPath, { threads: 1 });
  server = await openServer(model);
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

/** No grammar can compare all items. */
const marks = {
  type: "array",
  items: { type: "integer", minimum: 0, maximum: 99 },
  minItems: 1,
  maxItems: 2,
  uniqueItems: true,
};
const schema = { type: "object", properties: { marks }, required: ["marks"], additionalProperties: false };
const warnings = [
  {
    path: "#/properties/marks",
    keyword: "uniqueItems",
    message: '"uniqueItems" is supported for an "enum" of up to 8 values',
  },
];

const messages = [{ role: "user", content: "A list" }];
const asked = { model: "any", max_tokens: 150, temperature: 0 };
const format = { type: "json_schema", json_schema: { name: "x", schema } };

interface Route {
  readonly path: string;
  readonly body: Json;
  /** The text of a whole answer. */
  readonly text: (answer: never) => unknown;
}
const routes: readonly Route[] = [
  {
    path: "/v1/chat/completions",
    body: { ...asked, messages, response_format: format },
    text: (answer: { choices: { message: { content: string } }[] }) => answer.choices[0]?.message.content,
  },
  {
    path: "/v1/completions",
    // Without the penalty, this model indents without end.
    body: { ...asked, repeat_penalty: 1.5, prompt: "A list:", response_format: format },
    text: (answer: { choices: { text: string }[] }) => answer.choices[0]?.text,
  },
  {
    path: "/v1/responses",
    body: {
      ...{ model: "any", max_output_tokens: 150, temperature: 0, input: "A list" },
      text: { format: { type: "json_schema", name: "x", schema } },
    },
    text: (answer: { output: { content: { text: string }[] }[] }) => answer.output[0]?.content[0]?.text,
  },
  {
    path: "/v1/messages",
    body: { ...asked, messages, output_config: { format: { type: "json_schema", schema } } },
    text: (answer: { content: { text: string }[] }) => answer.content[0]?.text,
  },
  {
    path: "/api/chat",
    body: { model: "any", messages, format: schema, options: { num_predict: 150, temperature: 0 } },
    text: (answer: { message: { content: string } }) => answer.message.content,
  },
  {
    path: "/api/generate",
    body: { model: "any", prompt: "A list", format: schema, options: { num_predict: 150, temperature: 0 } },
    text: (answer: { response: string }) => answer.response,
  },
];

test.each(routes)("$path refuses a keyword that it cannot keep to", async ({ path, body }) => {
  for (const given of [body, { ...body, schema_mode: "strict" }]) {
    const response = await server.post(path, { ...given, stream: false });
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/#\/properties\/marks.*uniqueItems/);
  }
  const misspelt = await server.post(path, { ...body, schema_mode: "lose" });
  expect(misspelt.status).toBe(400);
  expect(await misspelt.text()).toMatch(/schema_mode/);
});

test.each(routes)("$path leaves it out in loose mode, and says so", async ({ path, body, text }) => {
  const response = await server.post(path, { ...body, schema_mode: "loose", stream: false });
  const answer = (await response.json()) as { readonly warnings: readonly SchemaWarning[] };
  expect(response.status).toBe(200);
  expect(answer.warnings).toEqual(warnings);
  // The other keywords are kept.
  const value = JSON.parse(String(text(answer as never))) as { readonly marks: readonly unknown[] };
  expect([1, 2]).toContain(value.marks.length);
  expect(value.marks.every((mark) => typeof mark === "number")).toBe(true);
});

test.each(routes)("$path says so in a stream", async ({ path, body }) => {
  const response = await server.post(path, { ...body, schema_mode: "loose", stream: true });
  expect(response.status).toBe(200);
  expect(await response.text()).toContain(JSON.stringify(warnings));
});

test.each(routes)("$path has no warnings without a violable keyword", async ({ path, body }) => {
  const kept = JSON.parse(JSON.stringify(body).replace(',"uniqueItems":true', "")) as Json;
  const response = await server.post(path, { ...kept, schema_mode: "loose", stream: false });
  expect(response.status).toBe(200);
  expect(await response.json()).not.toHaveProperty("warnings");
});
