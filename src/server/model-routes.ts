import type { Hono } from "hono";
import { requestReader } from "./requests/body.js";
import { prepareChat } from "./requests/chat-prompt.js";
import type { RouteFields } from "./requests/field-rules.js";
import { messagesPart } from "./requests/messages.js";
import { openAiTemplatePart } from "./requests/thinking.js";
import { toolsPart } from "./requests/tool-calls.js";
import { harmlessFields } from "./requests/unsupported-fields.js";
import type { Service } from "./service.js";

const readRequest = requestReader(
  { messages: messagesPart, template: openAiTemplatePart, tools: toolsPart },
  { harmless: harmlessFields, refused: {} },
);
/** The fields of `/apply-template`. */
export const applyTemplateFields: RouteFields = readRequest.fields;

/** `/props` and `/apply-template`, with the fields of llama.cpp's server. */
export function addModelRoutes(app: Hono, service: Service): void {
  const { model, tokenizer, name, parallel } = service;
  const spell = (id: number | undefined): string =>
    id === undefined ? "" : tokenizer.decode([id], { skipSpecial: false });
  app.get("/props", (context) =>
    context.json({
      default_generation_settings: { n_ctx: model.info.contextLength },
      total_slots: parallel,
      model_alias: name,
      // The path is the operator's own.
      model_path: "",
      chat_template: tokenizer.chatTemplate ?? "",
      bos_token: spell(tokenizer.bosId),
      eos_token: spell(tokenizer.eosId),
      modalities: { vision: false, audio: false },
      build_info: "bitnet-wasm",
    }),
  );
  app.post("/apply-template", async (context) => {
    const request = await readRequest(context, service);
    const { prompt } = await prepareChat(service, context.req.raw.signal, {
      ...request,
      format: undefined,
      formatParam: "",
    });
    return context.json({ prompt: await tokenizer.decodeAsync(prompt, { skipSpecial: false }) });
  });
}
