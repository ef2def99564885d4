import type { Hono } from "hono";
import { sha256 } from "hono/utils/crypto";
import type { Service } from "../service.js";

/** The version of Ollama whose protocol this is. Clients read it before they use newer features. */
const ollamaVersion = "0.6.4";

/** `/api/version`, and the routes that describe the model. */
export function addModels(app: Hono, service: Service): void {
  const { model, startedAt } = service;
  const { info } = model;
  const modified = startedAt.toISOString();
  app.get("/api/version", (context) => context.json({ version: ollamaVersion }));
  app.get("/api/tags", async (context) =>
    context.json({ models: [{ ...(await listing(service)), modified_at: modified }] }),
  );
  app.get("/api/ps", async (context) =>
    // The model stays loaded as long as the server runs.
    context.json({
      models: [{ ...(await listing(service)), size_vram: 0, expires_at: "9999-12-31T23:59:59Z" }],
    }),
  );
  app.post("/api/show", (context) =>
    context.json({
      modelfile: "",
      parameters: "",
      template: service.tokenizer.chatTemplate ?? "",
      details: detailsOf(service),
      model_info: {
        "general.architecture": info.architecture,
        "general.parameter_count": info.parameters,
        [`${info.architecture}.context_length`]: info.contextLength,
        [`${info.architecture}.embedding_length`]: info.width,
        [`${info.architecture}.block_count`]: info.layers,
      },
      capabilities: capabilitiesOf(service),
      modified_at: modified,
    }),
  );
}

/** The model's entry in lists. */
async function listing(service: Service): Promise<object> {
  const { name, model } = service;
  const { weights, head } = model.info.memoryBytes;
  const size = weights + head;
  const details = detailsOf(service);
  // It identifies the model by its description: the file may be too large to hash, or the model may be a
  // folder.
  const digest = await sha256(JSON.stringify({ name, bytes: size, details }));
  return { name, model: name, size, digest, details };
}

function detailsOf({ model: { info } }: Service): object {
  return {
    parent_model: "",
    format: "gguf",
    family: info.architecture,
    families: [info.architecture],
    parameter_size: `${(info.parameters / 1e6).toFixed(1)}M`,
    quantization_level: info.weightFormats.join(", "),
  };
}

function capabilitiesOf({ template }: Service): string[] {
  try {
    const { toolSyntax, thoughts } = template();
    return [
      "completion",
      ...(toolSyntax === undefined ? [] : ["tools"]),
      ...(thoughts === undefined ? [] : ["thinking"]),
    ];
  } catch {
    // A broken template is reported when it is first used.
    return ["completion"];
  }
}
