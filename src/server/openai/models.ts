import type { Hono } from "hono";
import { type ModelEntry, readFacts } from "../models/model-entry.js";
import { modelNotFound } from "../models/model-names.js";
import type { Models } from "../models/models.js";

/** `/v1/models`. */
export function addModels(app: Hono, models: Models): void {
  async function describe(entry: ModelEntry): Promise<object> {
    const facts = await readFacts(entry);
    return {
      id: entry.name,
      object: "model",
      created: Math.floor(models.startedAt.getTime() / 1000),
      owned_by: "bitnet-wasm",
      ...(facts !== undefined && { context_length: facts.contextLength }),
    };
  }
  app.on("GET", ["/v1/models", "/models"], async (context) =>
    context.json({ object: "list", data: await Promise.all(models.entries().map(describe)) }),
  );
  app.get("/v1/models/:id{.+}", async (context) => {
    const id = context.req.param("id");
    const [only] = models.entries();
    // Elsewhere the only model has every name. Here a client asks whether there is such a model.
    if (models.isSingle && id !== only?.name) throw modelNotFound(id, [only?.name ?? ""]);
    return context.json(await describe(models.find(id)));
  });
}
