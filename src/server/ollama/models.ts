import type { Context, Hono } from "hono";
import { sha256 } from "hono/utils/crypto";
import { z } from "zod";
import { type LoadedModel, type ModelEntry, readFacts } from "../models/model-entry.js";
import type { ModelFacts } from "../models/model-facts.js";
import type { Models } from "../models/models.js";

/**
 * A version of Ollama that clients accept. Some refuse servers that say an older one: VS Code's Copilot wants
 * 0.6.4 at least, and Codex 0.13.4, whose `/v1/responses` this server has too.
 */
const ollamaVersion = "0.13.4";

/** `/api/version`, and the routes that describe models. */
export function addModels(app: Hono, models: Models): void {
  const modified = models.startedAt.toISOString();
  app.get("/api/version", (context) => context.json({ version: ollamaVersion }));
  app.get("/api/tags", async (context) => {
    const list = await Promise.all(models.entries().map(listing));
    return context.json({ models: list.map((each) => ({ ...each, modified_at: modified })) });
  });
  app.get("/api/ps", async (context) => {
    const list = models
      .entries()
      .flatMap((entry) => (entry.loaded === undefined ? [] : [running(entry, entry.loaded)]));
    return context.json({ models: await Promise.all(list) });
  });
  app.post("/api/show", async (context) => {
    const facts = await readFacts(models.find(await askedModel(context)));
    const { architecture, parameters, contextLength, width, layers, chatTemplate, capabilities } =
      facts ?? noFacts;
    return context.json({
      modelfile: "",
      parameters: "",
      template: chatTemplate,
      details: detailsOf(facts ?? noFacts),
      model_info: {
        "general.architecture": architecture,
        "general.parameter_count": parameters,
        [`${architecture}.context_length`]: contextLength,
        [`${architecture}.embedding_length`]: width,
        [`${architecture}.block_count`]: layers,
      },
      capabilities,
      modified_at: modified,
    });
  });
}

/** For a model that was never loaded and cannot be inspected. */
const noFacts: ModelFacts = {
  architecture: "",
  parameters: 0,
  bytes: 0,
  contextLength: 0,
  width: 0,
  layers: 0,
  weightFormats: [],
  chatTemplate: "",
  capabilities: ["completion"],
};

/** The name in a body; undefined without one. `name` is the older field. */
async function askedModel({ req }: Context): Promise<unknown> {
  const { data } = z
    .object({ model: z.unknown().optional(), name: z.unknown().optional() })
    .safeParse(await req.json().catch(() => undefined));
  return data?.model ?? data?.name;
}

/** The model's entry in lists. */
async function listing(entry: ModelEntry): Promise<object> {
  const { name } = entry;
  const facts = (await readFacts(entry)) ?? noFacts;
  const { bytes: size } = facts;
  const details = detailsOf(facts);
  // It identifies the model by its description: the file may be too large to hash, or the model may be a
  // folder.
  const digest = await sha256(JSON.stringify({ name, bytes: size, details }));
  return { name, model: name, size, digest, details };
}

/** The model's entry in the list of loaded ones. */
async function running(entry: ModelEntry, loaded: LoadedModel): Promise<object> {
  const { weights, head } = loaded.model.info.memoryBytes;
  const keepAliveMs = entry.source === undefined ? Infinity : loaded.keepAliveMs;
  const { expiresAt = new Date(Date.now() + keepAliveMs) } = loaded;
  return {
    ...(await listing(entry)),
    size: weights + head,
    size_vram: 0,
    context_length: loaded.model.info.contextLength,
    // The last date is for models that stay loaded as long as the server runs.
    expires_at: Number.isNaN(expiresAt.getTime()) ? "9999-12-31T23:59:59Z" : expiresAt.toISOString(),
  };
}

function detailsOf({ architecture, parameters, weightFormats }: ModelFacts): object {
  return {
    parent_model: "",
    format: "gguf",
    family: architecture,
    families: [architecture],
    parameter_size: `${(parameters / 1e6).toFixed(1)}M`,
    quantization_level: weightFormats.join(", "),
  };
}
