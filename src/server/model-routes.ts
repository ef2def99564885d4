import type { Hono } from "hono";
import { modelPart } from "./models/model-part.js";
import type { Models } from "./models/models.js";
import { requestReader } from "./requests/body.js";
import { prepareChat } from "./requests/chat-prompt.js";
import type { RouteFields } from "./requests/field-rules.js";
import { messagesPart } from "./requests/messages.js";
import { openAiTemplatePart } from "./requests/thinking.js";
import { toolsPart } from "./requests/tool-calls.js";
import { harmlessFields } from "./requests/unsupported-fields.js";

const readRequest = requestReader(
  { model: modelPart, messages: messagesPart, template: openAiTemplatePart, tools: toolsPart },
  { harmless: harmlessFields, refused: {} },
);
/** The fields of `/apply-template`. */
export const applyTemplateFields: RouteFields = readRequest.fields;

/** `/props` and `/apply-template`, with the fields of llama.cpp's server. */
export function addModelRoutes(app: Hono, models: Models): void {
  app.get("/props", async (context) => {
    const entry = models.findOrFirst(context.req.query("model"));
    const { model, tokenizer, name } = await models.open(context, entry);
    const spell = (id: number | undefined): string =>
      id === undefined ? "" : tokenizer.decode([id], { skipSpecial: false });
    return context.json({
      default_generation_settings: { n_ctx: model.info.contextLength },
      total_slots: models.parallel,
      model_alias: name,
      // The path is the operator's own.
      model_path: "",
      chat_template: tokenizer.chatTemplate ?? "",
      bos_token: spell(tokenizer.bosId),
      eos_token: spell(tokenizer.eosId),
      modalities: { vision: false, audio: false },
      build_info: "bitnet-wasm",
    });
  });
  app.post("/apply-template", async (context) => {
    const { model, ...request } = await readRequest(context, models);
    const service = await models.open(context, models.findOrFirst(model));
    const { prompt } = await prepareChat(service, context.req.raw.signal, {
      ...request,
      format: undefined,
      schemaMode: "strict",
    });
    return context.json({ prompt: await service.tokenizer.decodeAsync(prompt, { skipSpecial: false }) });
  });
}
