import type { Hono } from "hono";
import { z } from "zod";
import { badRequest, Failure } from "../failures.js";
import { modelPart } from "../models/model-part.js";
import { hubNameOf, plainName } from "../models/model-names.js";
import type { Models } from "../models/models.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import type { RouteFields } from "../requests/field-rules.js";
import { streamPart } from "./answer.js";
import { type Download, downloadResponse, startDownload } from "./download.js";

const readRequest = requestReader(
  {
    // Clients of older versions send `name`.
    model: modelPart,
    name: requestPart({ name: optional(z.string()) }, ({ name }) => name),
    stream: streamPart,
  },
  { harmless: ["insecure", "username", "password"], refused: {} },
);
/** The fields of `/api/pull`. */
export const pullFields: RouteFields = readRequest.fields;

/** `/api/pull`. A model of the list is there already. Others are downloaded if the operator allows it. */
export function addPull(app: Hono, models: Models): void {
  app.post("/api/pull", async (context) => {
    const { model, name, stream } = await readRequest(context, models);
    const asked = model ?? name;
    if (typeof asked !== "string" || asked === "")
      throw badRequest("model", "Invalid model: expected the name of a model");
    const known = models.entries().map((entry) => entry.name);
    const isKnown = known.some((each) => plainName(each) === plainName(asked));
    const download = isKnown ? undefined : startPull(models, asked, known, context.req.raw.signal);
    return downloadResponse(download, { stream, stallTimeoutMs: models.stallTimeoutMs });
  });
}

function startPull(models: Models, asked: string, known: readonly string[], client: AbortSignal): Download {
  const { pull } = models;
  if (pull === undefined) {
    throw new Failure(
      404,
      "model_not_found",
      `Cannot pull ${JSON.stringify(asked.slice(0, 200))}: this server has ${known.map((each) => `"${each}"`).join(", ")} and downloads no other model. Start bitnet serve with that model, or with --allow-pull`,
    );
  }
  const name = hubNameOf(asked);
  return startDownload(name, client, async (options) => {
    try {
      models.add(name, await pull(name, options));
    } catch (error) {
      models.report(error);
      throw error;
    }
  });
}
