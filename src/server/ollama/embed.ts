import type { Hono } from "hono";
import { z } from "zod";
import { badRequest } from "../failures.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import type { RouteFields } from "../requests/field-rules.js";
import { embeddingRules } from "../requests/unsupported-fields.js";
import type { Service } from "../service.js";

const readRequest = requestReader(
  {
    texts: requestPart(
      {
        input: z.union([z.string(), z.array(z.string()).max(2048)], {
          error: "expected a string or an array of at most 2048 strings",
        }),
      },
      ({ input }) => [input].flat(),
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
export function addEmbed(app: Hono, { model, name, embed }: Service): void {
  const { width } = model.info;
  app.post("/api/embed", async (context) => {
    const startedMs = performance.now();
    const { texts, dimensions = width } = await readRequest(context);
    if (dimensions !== width)
      throw badRequest("dimensions", `Invalid dimensions: this model's vectors have ${width}`);
    const { vectors, tokens } = await embed(context, texts);
    return context.json({
      model: name,
      embeddings: vectors.map((vector) => [...vector]),
      total_duration: Math.round((performance.now() - startedMs) * 1e6),
      load_duration: 0,
      prompt_eval_count: tokens,
    });
  });
  app.post("/api/embeddings", async (context) => {
    const { text } = await readLegacyRequest(context);
    const { vectors } = await embed(context, [text]);
    return context.json({ embedding: [...(vectors[0] ?? [])] });
  });
}
