import type { Hono } from "hono";
import { requestReader } from "../requests/body.js";
import type { RouteFields } from "../requests/field-rules.js";
import { schemaGrammar } from "../requests/json-format.js";
import { optionalMessagesPart } from "../requests/messages.js";
import { encodeMessages, ollamaTemplatePart, textsOf } from "../requests/thinking.js";
import { toolsPart, useTools } from "../requests/tool-calls.js";
import type { Service } from "../service.js";
import { answer, streamPart } from "./answer.js";
import { fieldRules } from "./field-rules.js";
import { formatPart } from "./format.js";
import { modelLoaded } from "./model-loaded.js";
import { samplingPart } from "./sampling.js";

const readRequest = requestReader(
  {
    messages: optionalMessagesPart,
    template: ollamaTemplatePart,
    tools: toolsPart,
    format: formatPart,
    sampling: samplingPart,
    stream: streamPart,
  },
  fieldRules,
);
/** The fields of `/api/chat`. */
export const chatFields: RouteFields = readRequest.fields;

/** `/api/chat`. */
export function addChat(app: Hono, service: Service): void {
  app.post("/api/chat", async (context) => {
    await service.door.enter(context.req.raw.signal);
    const { messages, template, format, sampling, stream, ...request } = await readRequest(context, service);
    if (messages.length === 0) return modelLoaded(service, { message: { role: "assistant", content: "" } });
    service.checkPromptSize(textsOf(messages, template));
    const { tools, createParser, shownTokens } = await useTools(request.tools, messages, service);
    const { signal } = context.req.raw;
    const { ids, thoughts } = await encodeMessages(service, messages, tools, { ...template, signal });
    const grammar = await schemaGrammar(format, service.limits);
    return answer(service, context, {
      prompt: ids,
      options: { ...sampling, grammar, shownTokens, thoughts },
      createParser,
      stream,
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
