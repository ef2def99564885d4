import type { Hono } from "hono";
import { z } from "zod";
import { badRequest } from "../failures.js";
import { modelPart } from "../models/model-part.js";
import type { Models } from "../models/models.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import type { RouteFields } from "../requests/field-rules.js";
import { isTexts } from "../requests/fields.js";
import { jsonResponse } from "../json-response.js";
import { embeddingRules } from "../requests/unsupported-fields.js";

const readRequest = requestReader(
  {
    model: modelPart,
    embedding: requestPart(
      {
        input: z.custom<string | readonly string[]>((value) => typeof value === "string" || isTexts(value), {
          error: "expected a string or an array of strings, at least one",
        }),
        encoding_format: optional(z.enum(["float", "base64"])),
        dimensions: optional(z.int()),
      },
      (fields) => fields,
      { input: "texts" },
    ),
  },
  embeddingRules,
);
/** The fields of `/v1/embeddings`. */
export const embeddingFields: RouteFields = readRequest.fields;

/** `/v1/embeddings`. */
export function addEmbeddings(app: Hono, models: Models): void {
  app.on("POST", ["/v1/embeddings", "/embeddings"], async (context) => {
    const { model, embedding } = await readRequest(context, models);
    const service = await models.open(context, models.find(model));
    const { width } = service.model.info;
    const { input, encoding_format: encoding, dimensions = width } = embedding;
    if (dimensions !== width)
      throw badRequest("dimensions", `Invalid dimensions: this model's vectors have ${width}`);
    const { vectors, tokens } = await service.embed(context, [input].flat());
    const data = vectors.map((vector, index) => (): object => ({
      object: "embedding",
      index,
      embedding: encoding === "base64" ? base64(vector) : [...vector],
    }));
    const usage = { prompt_tokens: tokens, total_tokens: tokens };
    return jsonResponse({ object: "list", model: service.name, usage }, "data", data);
  });
}

/** Little-endian float32 values in base64, the default format of OpenAI's client. */
function base64(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(vector.length * 4));
  vector.forEach((value, index) => view.setFloat32(index * 4, value, true));
  let binary = "";
  for (const byte of new Uint8Array(view.buffer)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
