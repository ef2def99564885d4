import type { Hono } from "hono";
import { z } from "zod";
import type { TextLimits } from "../../language-model/internals.js";
import { badRequest } from "../failures.js";
import { jsonResponse } from "../json-response.js";
import { keepAlivePart } from "../models/keep-alive.js";
import { modelPart } from "../models/model-part.js";
import type { Models } from "../models/models.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import type { RouteFields } from "../requests/field-rules.js";
import { isTexts } from "../requests/fields.js";
import { embeddingRules } from "../requests/unsupported-fields.js";
import { nanoseconds, openTimed } from "./durations.js";

/** Ollama cuts long texts unless `truncate` is false. */
const truncatePart = requestPart({ truncate: optional(z.boolean()) }, ({ truncate = true }): TextLimits => ({
  truncates: truncate,
}));
const modelParts = { model: modelPart, keepAliveMs: keepAlivePart, limits: truncatePart };
const readRequest = requestReader(
  {
    ...modelParts,
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
  embeddingRules,
);
const readLegacyRequest = requestReader(
  { ...modelParts, text: requestPart({ prompt: z.string() }, ({ prompt }) => prompt) },
  embeddingRules,
);
/** The fields of `/api/embeddings`. */
export const legacyEmbedFields: RouteFields = readLegacyRequest.fields;
/** The fields of `/api/embed`. */
export const embedFields: RouteFields = readRequest.fields;

/** `/api/embed`, and its older form `/api/embeddings` with one text. */
export function addEmbed(app: Hono, models: Models): void {
  app.post("/api/embed", async (context) => {
    const startedMs = performance.now();
    const { model, keepAliveMs, limits, texts, ...request } = await readRequest(context, models);
    const { service, loadDuration } = await openTimed(models, context, models.find(model), keepAliveMs);
    const { width } = service.model.info;
    const { dimensions = width } = request;
    if (dimensions !== width)
      throw badRequest("dimensions", `Invalid dimensions: this model's vectors have ${width}`);
    const { vectors, tokens } = await service.embed(context, texts, limits);
    const head = {
      model: service.name,
      total_duration: nanoseconds(performance.now() - startedMs),
      load_duration: loadDuration,
      prompt_eval_count: tokens,
    };
    return jsonResponse(
      head,
      "embeddings",
      vectors.map((vector) => () => [...vector]),
    );
  });
  app.post("/api/embeddings", async (context) => {
    const { model, keepAliveMs, limits, text } = await readLegacyRequest(context, models);
    const service = await models.open(context, models.find(model), keepAliveMs);
    const { vectors } = await service.embed(context, [text], limits);
    return context.json({ embedding: [...(vectors[0] ?? [])] });
  });
}
