import type { Hono } from "hono";
import { z } from "zod";
import { badRequest, Failure } from "../failures.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import type { RouteFields } from "../requests/field-rules.js";
import type { Service } from "../service.js";
import { streamPart } from "./answer.js";

const readRequest = requestReader(
  {
    model: requestPart(
      // `name` is the older name.
      { model: optional(z.string()), name: optional(z.string()) },
      ({ model, name }) => model ?? name ?? "",
    ),
    stream: streamPart,
  },
  { harmless: ["insecure", "username", "password"], refused: {} },
);
/** The fields of `/api/pull`. */
export const pullFields: RouteFields = readRequest.fields;

/** `/api/pull`. The loaded model is there already. A server downloads no other, whoever asks for it. */
export function addPull(app: Hono, service: Service): void {
  const { name } = service;
  app.post("/api/pull", async (context) => {
    const { model, stream } = await readRequest(context, service);
    if (model === "") throw badRequest("model", "Invalid model: expected the name of a model");
    if (withoutTag(model) !== withoutTag(name)) {
      throw new Failure(
        404,
        "model_not_found",
        `Cannot pull "${model}": this server has "${name}" and downloads no other model. Ask for "${name}", or start bitnet serve with the other one`,
      );
    }
    const lines = stream ? [{ status: "pulling manifest" }, { status: "success" }] : [{ status: "success" }];
    const type = stream ? "application/x-ndjson" : "application/json";
    const text = lines.map((line) => JSON.stringify(line)).join("\n");
    return new Response(`${text}\n`, { headers: { "Content-Type": type } });
  });
}

/** Ollama's clients add this tag to names without one. */
function withoutTag(name: string): string {
  return name.replace(/:latest$/, "");
}
