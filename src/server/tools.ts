import type { Hono } from "hono";
import { z } from "zod";
import { checkBody, optional, readJson } from "./body.js";
import { embedTexts } from "./embedding.js";
import type { Service } from "./service.js";

const embeddingSchema = z.object({
  input: z.union([z.string(), z.array(z.string()).min(1).max(2048)], {
    error: "expected a string or an array of 1 to 2048 strings",
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
export function addTools(app: Hono, service: Service): void {
  const { model, name, scheduler, watch } = service;
  app.post("/v1/embeddings", async (context) => {
    const body = checkBody(
      embeddingSchema.refine(({ dimensions = model.info.width }) => dimensions === model.info.width, {
        path: ["dimensions"],
        error: `this model's vectors have ${model.info.width}`,
      }),
      await readJson(context),
    );
    const texts = [body.input].flat();
    const { vectors, tokens } = await embedTexts(service, context, texts);
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
    context.header("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return context.body(watch.render(scheduler.stats));
  });
}
