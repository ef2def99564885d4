import type { Hono } from "hono";
import { Failure } from "../failures.js";
import type { Service } from "../service.js";

/** `/v1/models`. */
export function addModels(app: Hono, { name, startedAt, model }: Service): void {
  const description = {
    id: name,
    object: "model",
    created: Math.floor(startedAt.getTime() / 1000),
    owned_by: "bitnet-wasm",
    context_length: model.info.contextLength,
  };
  app.on("GET", ["/v1/models", "/models"], (context) =>
    context.json({ object: "list", data: [description] }),
  );
  app.get("/v1/models/:id{.+}", (context) => {
    const id = context.req.param("id");
    if (id === name) return context.json(description);
    const message = `There is no model "${id}": this server has "${name}"`;
    throw new Failure(404, "model_not_found", message, "model");
  });
}
