import { createHash } from "node:crypto";
import type { Hono } from "hono";
import { z } from "zod";
import type { ChatMessage } from "../../text/chat-template.js";
import { embedTexts } from "../embedding.js";
import { checkBody, isGiven, optional, readJson, refuseFeatures } from "../body.js";
import { readFormat } from "../json-format.js";
import { readMessages } from "../openai/messages.js";
import { readTools } from "../openai/tools.js";
import { promptIds } from "../openai/routes.js";
import type { Service } from "../service.js";
import { ollamaAnswer } from "./generation.js";

/** Which Ollama's interface this is like: clients ask before they use what is new. */
const ollamaVersion = "0.6.4";

const unsupported = {
  images: isGiven,
  suffix: isGiven,
  context: isGiven,
  think: isGiven,
};
const generateSchema = z.object({
  prompt: optional(z.string()),
  system: optional(z.string()),
  raw: optional(z.boolean()),
});
const embedSchema = z.object({
  input: z.union([z.string(), z.array(z.string()).max(2048)], {
    error: "expected a string or an array of at most 2048 strings",
  }),
});

/** Ollama's routes, as far as they are about using a model and not about managing many. */
export function addOllama(app: Hono, service: Service): void {
  const { model, name } = service;
  const { info } = model;
  const bytes = info.memoryBytes.weights + info.memoryBytes.head;
  const details = {
    parent_model: "",
    format: "gguf",
    family: info.architecture,
    families: [info.architecture],
    parameter_size: `${(info.parameters / 1e6).toFixed(1)}M`,
    quantization_level: info.weightFormats.join(", "),
  };
  const listed = { name, model: name, size: bytes, digest: digestOf({ name, bytes, details }), details };
  const modified = service.startedAt.toISOString();
  /** Clients ask nothing to have the model loaded, which it is. */
  const loaded = (content: object): Response =>
    Response.json({
      model: name,
      created_at: new Date().toISOString(),
      ...content,
      done: true,
      done_reason: "load",
    });

  app.get("/api/version", (context) => context.json({ version: ollamaVersion }));
  app.get("/api/tags", (context) => context.json({ models: [{ ...listed, modified_at: modified }] }));
  app.get("/api/ps", (context) =>
    // It stays as long as the server.
    context.json({ models: [{ ...listed, size_vram: 0, expires_at: "9999-12-31T23:59:59Z" }] }),
  );
  app.post("/api/show", (context) =>
    context.json({
      modelfile: "",
      parameters: "",
      template: model.tokenizer.chatTemplate ?? "",
      details,
      model_info: {
        "general.architecture": info.architecture,
        "general.parameter_count": info.parameters,
        [`${info.architecture}.context_length`]: info.contextLength,
        [`${info.architecture}.embedding_length`]: info.width,
        [`${info.architecture}.block_count`]: info.layers,
      },
      capabilities: capabilitiesOf(service),
      modified_at: modified,
    }),
  );
  app.post("/api/chat", async (context) => {
    const body = await readJson(context);
    refuseFeatures(body, unsupported);
    if (asksNothing(body, "messages")) return loaded({ message: { role: "assistant", content: "" } });
    const messages = readMessages(body);
    service.checkTexts(messages.map(({ content }) => content));
    const { tools, openReader } = readTools(service, body, messages);
    return ollamaAnswer(service, context, body, {
      prompt: service.template().encode(messages, tools),
      grammar: readFormat(body),
      openReader,
      content: (content, calls) => ({
        message: {
          role: "assistant",
          content,
          ...(calls.length > 0 && {
            tool_calls: calls.map((call) => ({ function: { name: call.name, arguments: call.arguments } })),
          }),
        },
      }),
    });
  });
  app.post("/api/generate", async (context) => {
    const body = await readJson(context);
    refuseFeatures(body, unsupported);
    const { prompt = "", system = "", raw = false } = checkBody(generateSchema, body);
    if (prompt === "") return loaded({ response: "" });
    service.checkTexts([system, prompt]);
    const instructions: ChatMessage[] = system === "" ? [] : [{ role: "system", content: system }];
    // Models without a template were not made to be asked: they go on from what is written.
    const ids =
      raw || service.template().kind === "plain"
        ? promptIds(model, system === "" || raw ? prompt : `${system}\n${prompt}`)
        : service.template().encode([...instructions, { role: "user", content: prompt }]);
    return ollamaAnswer(service, context, body, {
      prompt: ids,
      grammar: readFormat(body),
      content: (response) => ({ response }),
    });
  });
  app.post("/api/embed", async (context) => {
    const startedMs = performance.now();
    const texts = [checkBody(embedSchema, await readJson(context)).input].flat();
    const { vectors, tokens } = await embedTexts(service, context, texts);
    return context.json({
      model: name,
      embeddings: vectors.map((vector) => [...vector]),
      total_duration: Math.round((performance.now() - startedMs) * 1e6),
      load_duration: 0,
      prompt_eval_count: tokens,
    });
  });
}

/** What tells this model from others: of its description, because its file may be large, or not be one. */
function digestOf(description: object): string {
  return createHash("sha256").update(JSON.stringify(description)).digest("hex");
}

function capabilitiesOf({ template }: Service): string[] {
  try {
    return template().toolSyntax === undefined ? ["completion"] : ["completion", "tools"];
  } catch {
    // A template that cannot be read is told of where it is used.
    return ["completion"];
  }
}

function asksNothing(body: unknown, field: string): boolean {
  const list =
    typeof body === "object" && body !== null ? (body as Readonly<Record<string, unknown>>)[field] : 0;
  return list === undefined || (Array.isArray(list) && list.length === 0);
}
