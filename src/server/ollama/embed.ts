import type { Hono } from "hono";
import { z } from "zod";
import { badRequest } from "../failures.js";
import { jsonResponse } from "../json-response.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import type { RouteFields } from "../requests/field-rules.js";
import { isTexts } from "../requests/fields.js";
import { embeddingRules } from "../requests/unsupported-fields.js";
import type { Service } from "../service.js";

const readRequest = requestReader(
  {
    texts: requestPart(
      {
        input: z.custom<string | readonly string[]>(
          (value) =>
            typeof value === "string" || isTexts(value) || (Array.isArray(value) && value.length === 0),
          { error: "expected a string or an array of strings" },
        ),
      },
      ({ input }) => [input].flat(),
      { input: "texts" },
    ),
    dimensions: requestPart({ dimensions: optional(z.int()) }, ({ dimensions }) => dimensions),
  },
  { ...embeddingRules, harmless: [...embeddingRules.harmless, "truncate"] },
);
const readLegacyRequest = requestReader(
  { text: requestPart({ prompt: z.string() }, ({ prompt }) => prompt) },
  { ...embeddingRules, harmless: [...embeddingRules.harmless, "truncate"] },
);
/** The fields of `/api/embeddings`. */
export const legacyEmbedFields: RouteFields = readLegacyRequest.fields;
/** The fields of `/api/embed`. */
export const embedFields: RouteFields = readRequest.fields;

/** `/api/embed`, and its older form `/api/embeddings` with one text. */
export function addEmbed(app: Hono, service: Service): void {
  const { model, name, embed } = service;
  const { width } = model.info;
  app.post("/api/embed", async (context) => {
    const startedMs = performance.now();
    const { texts, dimensions = width } = await readRequest(context, service);
    if (dimensions !== width)
      throw badRequest("dimensions", `Invalid dimensions: this model's vectors have ${width}`);
    const { vectors, tokens } = await embed(context, texts);
    const head = {
      model: name,
      total_duration: Math.round((performance.now() - startedMs) * 1e6),
      load_duration: 0,
      prompt_eval_count: tokens,
    };
    return jsonResponse(
      head,
      "embeddings",
      vectors.map((vector) => () => [...vector]),
    );
  });
  app.post("/api/embeddings", async (context) => {
    const { text } = await readLegacyRequest(context, service);
    const { vectors } = await embed(context, [text]);
    return context.json({ embedding: [...(vectors[0] ?? [])] });
  });
}
