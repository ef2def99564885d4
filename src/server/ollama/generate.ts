import type { Hono } from "hono";
import { z } from "zod";
import { encodeOpenTextAsync } from "../../generation/prompt.js";
import { type ChatPrompt, findThoughts, switchThinking } from "../../generation/chat-prompt.js";
import type { ChatMessage } from "../../text/chat-template.js";
import { keepAlivePart } from "../models/keep-alive.js";
import { modelPart } from "../models/model-part.js";
import type { Models } from "../models/models.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import type { RouteFields } from "../requests/field-rules.js";
import { schemaGrammar, schemaModePart } from "../requests/json-format.js";
import { encodeMessages, ollamaTemplatePart, type TemplateRequest } from "../requests/thinking.js";
import type { Service } from "../service.js";
import { answer, streamPart } from "./answer.js";
import { openTimed } from "./durations.js";
import { fieldRules } from "./field-rules.js";
import { formatPart } from "./format.js";
import { loadOnly } from "./load-only.js";
import { samplingPart } from "./sampling.js";

interface Prompt {
  readonly text: string;
  readonly system: string;
  /** Whether the prompt bypasses the chat template. */
  readonly raw: boolean;
}

const readRequest = requestReader(
  {
    model: modelPart,
    keepAliveMs: keepAlivePart,
    prompt: requestPart(
      {
        prompt: optional(z.string()),
        system: optional(z.string()),
        raw: optional(z.boolean()),
      },
      ({ prompt = "", system = "", raw = false }): Prompt => ({ text: prompt, system, raw }),
    ),
    template: ollamaTemplatePart,
    format: formatPart,
    schemaMode: schemaModePart,
    sampling: samplingPart,
    stream: streamPart,
  },
  fieldRules,
);
/** The fields of `/api/generate`. */
export const generateFields: RouteFields = readRequest.fields;

/** `/api/generate`. */
export function addGenerate(app: Hono, models: Models): void {
  app.post("/api/generate", async (context) => {
    await models.door.enter(context.req.raw.signal);
    const { model, keepAliveMs, prompt, template, format, schemaMode, sampling, stream } = await readRequest(
      context,
      models,
    );
    const entry = models.find(model);
    if (prompt.text === "") {
      return loadOnly(models, context, { entry, keepAliveMs, content: { response: "" } });
    }
    const { service, loadDuration } = await openTimed(models, context, entry, keepAliveMs);
    service.checkPromptSize([prompt.system, prompt.text]);
    const request = { ...template, signal: context.req.raw.signal };
    const { ids, thoughts } = await encodePrompt(service, prompt, request);
    const { grammar, warningFields } = await schemaGrammar(format, schemaMode, service.limits);
    return answer(service, context, {
      prompt: ids,
      options: { ...sampling, grammar, thoughts },
      stream,
      loadDuration,
      moreFields: warningFields,
      content: ({ text, thinking }) => ({ response: text, ...(thinking !== "" && { thinking }) }),
    });
  });
}

async function encodePrompt(
  service: Service,
  { text, system, raw }: Prompt,
  request: TemplateRequest & { readonly signal: AbortSignal },
): Promise<Pick<ChatPrompt, "ids"> & Partial<ChatPrompt>> {
  const { tokenizer, template } = service;
  const { signal } = request;
  // The client has applied a template of its own.
  if (raw) {
    // It also reads thoughts itself, unless it asks for them.
    if (request.thinking === true) switchThinking(tokenizer, template(), request.thinking);
    const ids = await encodeOpenTextAsync(tokenizer, text, { parseSpecial: true, signal });
    return request.thinking === true ? { ids, thoughts: findThoughts(tokenizer, template(), ids) } : { ids };
  }
  // A model without a template is no chat model: it continues the text.
  if (template().kind === "plain") {
    switchThinking(tokenizer, template(), request.thinking);
    const prompt = system === "" ? text : `${system}\n${text}`;
    return { ids: await encodeOpenTextAsync(tokenizer, prompt, { signal }) };
  }
  const instructions: ChatMessage[] = system === "" ? [] : [{ role: "system", content: system }];
  return encodeMessages(service, [...instructions, { role: "user", content: text }], [], request);
}
