import type { Hono } from "hono";
import { z } from "zod";
import { checkBody, optional, readJson } from "./body.js";
import type { Service } from "./service.js";

const embeddingSchema = z.object({
  input: z.union([z.string(), z.array(z.string()).min(1)], {
    error: "expected a string or an array of strings",
  }),
  encoding_format: optional(z.enum(["float", "base64"])),
  dimensions: optional(z.int()),
});
const tokenizeSchema = z.object({
  content: z.string(),
  add_special: optional(z.boolean()),
  parse_special: optional(z.boolean()),
});
const detokenizeSchema = z.object({ tokens: z.array(z.int().min(0)) });

/** Little-endian floats, as OpenAI's client asks for them. */
function base64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
  return bytes.toString("base64");
}

/** Routes about texts that write none: embeddings, tokens, figures. */
export function addTools(app: Hono, { model, name, scheduler }: Service): void {
  app.post("/v1/embeddings", async (context) => {
    const body = checkBody(
      embeddingSchema.refine(({ dimensions = model.info.width }) => dimensions === model.info.width, {
        path: ["dimensions"],
        error: `this model's vectors have ${model.info.width}`,
      }),
      await readJson(context),
    );
    const texts = [body.input].flat();
    const vectors = await model.embed(texts, { signal: context.req.raw.signal });
    const tokens = texts.reduce((sum, text) => sum + model.tokenize(text).length, 0);
    return context.json({
      object: "list",
      model: name,
      data: vectors.map((vector, index) => ({
        object: "embedding",
        index,
        embedding: body.encoding_format === "base64" ? base64(vector) : [...vector],
      })),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    });
  });
  app.post("/tokenize", async (context) => {
    const body = checkBody(tokenizeSchema, await readJson(context));
    const { content, add_special: addSpecial = false, parse_special: parseSpecial = false } = body;
    return context.json({ tokens: model.tokenize(content, { addSpecial, parseSpecial }) });
  });
  app.post("/detokenize", async (context) => {
    const { tokens } = checkBody(detokenizeSchema, await readJson(context));
    return context.json({ content: model.detokenize(tokens) });
  });
  app.get("/metrics", (context) => {
    const { stats } = scheduler;
    const figures = [
      ["requests_queued", "gauge", "Requests that wait for a place", stats.queued],
      ["requests_active", "gauge", "Requests that are being worked on", stats.active],
      ["requests_total", "counter", "Requests that have been given a place", stats.requests],
      ["prompt_tokens_total", "counter", "Tokens of prompts", stats.promptTokens],
      ["cached_tokens_total", "counter", "Tokens of prompts that were cached", stats.cachedTokens],
      ["cache_hits_total", "counter", "Requests whose prompt was partly cached", stats.cacheHits],
      ["generated_tokens_total", "counter", "Tokens written", stats.generatedTokens],
      ["passes_total", "counter", "Passes over the model", stats.passes],
    ] as const;
    const text = figures
      .map(
        ([key, type, help, value]) =>
          `# HELP bitnet_${key} ${help}\n# TYPE bitnet_${key} ${type}\nbitnet_${key} ${value}\n`,
      )
      .join("");
    return context.body(text, 200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" });
  });
}
