import type { Hono } from "hono";
import { z } from "zod";
import type { ChatMessage } from "../../text/chat-template.js";
import { embedTexts } from "../embedding.js";
import { checkBody, isGiven, optional, readJson, refuseFeatures } from "../body.js";
import { readMessages } from "../openai/messages.js";
import { promptIds } from "../openai/routes.js";
import type { Service } from "../service.js";
import { ollamaAnswer } from "./generation.js";

/** Which Ollama's interface this is like: clients ask before they use what is new. */
const ollamaVersion = "0.6.4";

const unsupported = {
  format: isGiven,
  tools: isGiven,
  images: isGiven,
  suffix: isGiven,
  context: isGiven,
  think: isGiven,
};
const generateSchema = z.object({
  prompt: z.string(),
  system: optional(z.string()),
  raw: optional(z.boolean()),
});
const embedSchema = z.object({
  input: z.union([z.string(), z.array(z.string())], { error: "expected a string or an array of strings" }),
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
  const listed = { name, model: name, size: bytes, digest: "", details };
  const modified = service.startedAt.toISOString();

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
      capabilities: ["completion"],
      modified_at: modified,
    }),
  );
  app.post("/api/chat", async (context) => {
    const body = await readJson(context);
    refuseFeatures(body, unsupported);
    const messages = readMessages(body);
    service.checkTexts(messages.map(({ content }) => content));
    const ids = service.template().encode(messages);
    return ollamaAnswer(service, context, body, ids, (content) => ({
      message: { role: "assistant", content },
    }));
  });
  app.post("/api/generate", async (context) => {
    const body = await readJson(context);
    refuseFeatures(body, unsupported);
    const { prompt, system = "", raw = false } = checkBody(generateSchema, body);
    service.checkTexts([system, prompt]);
    const instructions: ChatMessage[] = system === "" ? [] : [{ role: "system", content: system }];
    // Models without a template were not made to be asked: they go on from what is written.
    const ids =
      raw || service.template().kind === "plain"
        ? promptIds(model, system === "" || raw ? prompt : `${system}\n${prompt}`)
        : service.template().encode([...instructions, { role: "user", content: prompt }]);
    return ollamaAnswer(service, context, body, ids, (response) => ({ response }));
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
