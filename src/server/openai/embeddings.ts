import type { Hono } from "hono";
import { z } from "zod";
import { badRequest } from "../failures.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import type { RouteFields } from "../requests/field-rules.js";
import { embeddingRules } from "../requests/unsupported-fields.js";
import type { Service } from "../service.js";

const readRequest = requestReader(
  {
    embedding: requestPart(
      {
        input: z.union([z.string(), z.array(z.string()).min(1).max(2048)], {
          error: "expected a string or an array of 1 to 2048 strings",
        }),
        encoding_format: optional(z.enum(["float", "base64"])),
        dimensions: optional(z.int()),
      },
      (fields) => fields,
    ),
  },
  embeddingRules,
);
/** The fields of `/v1/embeddings`. */
export const embeddingFields: RouteFields = readRequest.fields;

/** `/v1/embeddings`. */
export function addEmbeddings(app: Hono, { model, name, embed }: Service): void {
  const { width } = model.info;
  app.on("POST", ["/v1/embeddings", "/embeddings"], async (context) => {
    const { embedding } = await readRequest(context);
    const { input, encoding_format: encoding, dimensions = width } = embedding;
    if (dimensions !== width)
      throw badRequest("dimensions", `Invalid dimensions: this model's vectors have ${width}`);
    const { vectors, tokens } = await embed(context, [input].flat());
    return context.json({
      object: "list",
      model: name,
      data: vectors.map((vector, index) => ({
        object: "embedding",
        index,
        embedding: encoding === "base64" ? base64(vector) : [...vector],
      })),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    });
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
