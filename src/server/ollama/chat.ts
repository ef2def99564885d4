import type { Hono } from "hono";
import { keepAlivePart } from "../models/keep-alive.js";
import { modelPart } from "../models/model-part.js";
import type { Models } from "../models/models.js";
import { requestReader } from "../requests/body.js";
import type { RouteFields } from "../requests/field-rules.js";
import { schemaModePart } from "../requests/json-format.js";
import { optionalMessagesPart } from "../requests/messages.js";
import { encodeMessages, ollamaTemplatePart, textsOf } from "../requests/thinking.js";
import { toolsPart, useTools } from "../requests/tool-calls.js";
import { answer, streamPart } from "./answer.js";
import { openTimed } from "./durations.js";
import { fieldRules } from "./field-rules.js";
import { formatPart } from "./format.js";
import { loadOnly } from "./load-only.js";
import { samplingPart } from "./sampling.js";

const readRequest = requestReader(
  {
    model: modelPart,
    keepAliveMs: keepAlivePart,
    messages: optionalMessagesPart,
    template: ollamaTemplatePart,
    tools: toolsPart,
    format: formatPart,
    schemaMode: schemaModePart,
    sampling: samplingPart,
    stream: streamPart,
  },
  fieldRules,
);
/** The fields of `/api/chat`. */
export const chatFields: RouteFields = readRequest.fields;

/** `/api/chat`. */
export function addChat(app: Hono, models: Models): void {
  app.post("/api/chat", async (context) => {
    await models.door.enter(context.req.raw.signal);
    const { model, keepAliveMs, messages, template, format, schemaMode, sampling, stream, ...request } =
      await readRequest(context, models);
    const entry = models.find(model);
    if (messages.length === 0) {
      const content = { message: { role: "assistant", content: "" } };
      return loadOnly(models, context, { entry, keepAliveMs, content });
    }
    const { service, loadDuration } = await openTimed(models, context, entry, keepAliveMs);
    service.checkPromptSize(textsOf(messages, template));
    const use = await useTools(request.tools, { format, schemaMode }, messages, service);
    const { tools, createParser, createWatcher, shownTokens, grammar, warningFields } = use;
    const { signal } = context.req.raw;
    const { ids, thoughts } = await encodeMessages(service, messages, tools, { ...template, signal });
    return answer(service, context, {
      prompt: ids,
      options: { ...sampling, grammar, shownTokens, createWatcher, thoughts },
      createParser,
      stream,
      loadDuration,
      moreFields: warningFields,
      content: ({ text, thinking, calls }) => ({
        message: {
          role: "assistant",
          content: text,
          ...(thinking !== "" && { thinking }),
          ...(calls.length > 0 && {
            tool_calls: calls.map((call) => ({ function: { name: call.name, arguments: call.arguments } })),
          }),
        },
      }),
    });
  });
}
