import type { Hono } from "hono";
import { z } from "zod";
import { startJobs } from "../jobs.js";
import { modelPart } from "../models/model-part.js";
import type { Models } from "../models/models.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import { prepareChat, type PreparedChat } from "../requests/chat-prompt.js";
import { type FieldRules, isGiven, type RouteFields } from "../requests/field-rules.js";
import { type SchemaMode, schemaModePart } from "../requests/json-format.js";
import type { ToolRequest } from "../requests/tool-calls.js";
import { type EventForm, serverSentEvents, typedEvent } from "../server-sent-events.js";
import type { Service } from "../service.js";
import { type Conversation, conversationPart } from "./conversation.js";
import { failureBody } from "./failure-body.js";
import { collect, events } from "./message.js";
import { samplingPart, thinkingPart, toolsPart } from "./settings.js";

const rules: FieldRules = {
  objects: {
    output_config: ["effort", "format"],
    tool_choice: ["type", "name", "disable_parallel_tool_use"],
  },
  harmless: [
    "metadata",
    "service_tier",
    "inference_geo",
    "speed",
    "cache_control",
    "diagnostics",
    "user_profile_id",
    "workspace_id",
    // It shortens long conversations. Ours are refused if they do not fit, which is seen.
    "context_management",
    "output_config.task_budget",
  ],
  refused: {
    container: { asks: isGiven, advice: "this server has no tools of its own" },
    mcp_servers: { asks: isGiven, advice: "this server has no tools of its own" },
    response_format: { asks: isGiven, advice: "use output_config.format" },
    output_format: { asks: isGiven, advice: "use output_config.format" },
  },
};

const chatParts = {
  model: modelPart,
  conversation: conversationPart,
  tools: toolsPart,
  thinking: thinkingPart,
  schemaMode: schemaModePart,
};
const readRequest = requestReader(
  {
    ...chatParts,
    sampling: samplingPart,
    stream: requestPart({ stream: optional(z.boolean()) }, ({ stream = false }) => stream),
  },
  rules,
);
const readCount = requestReader(chatParts, rules);
/** The fields of `/v1/messages`. */
export const messageFields: RouteFields = readRequest.fields;
/** The fields of `/v1/messages/count_tokens`. */
export const countFields: RouteFields = readCount.fields;

const form: EventForm = {
  write: typedEvent,
  end: "",
  waiting: typedEvent({ type: "ping" }),
  failed: failureBody,
};

/** `/v1/messages`, and the count of its prompt's tokens. */
export function addMessages(app: Hono, models: Models): void {
  app.on("POST", ["/v1/messages/count_tokens", "/messages/count_tokens"], async (context) => {
    const { model, ...request } = await readCount(context, models);
    const service = await models.open(context, models.find(model));
    const { prompt } = await prepare(service, context.req.raw.signal, request);
    return context.json({ input_tokens: prompt.length });
  });
  app.on("POST", ["/v1/messages", "/messages"], async (context) => {
    await models.door.enter(context.req.raw.signal);
    const { model, sampling, stream, ...request } = await readRequest(context, models);
    const service = await models.open(context, models.find(model));
    const prepared = await prepare(service, context.req.raw.signal, request);
    const { prompt, chatOptions, createParser, warningFields } = prepared;
    const { maxThinkingTokens } = request.thinking;
    const options = { ...sampling, ...chatOptions, maxThinkingTokens };
    const { pieces, work } = await startJobs(service, context, [{ prompt, options }], { stream });
    const written = {
      pieces,
      createParser,
      model: service.name,
      promptTokens: prompt.length,
      stopSequences: [sampling.stop ?? []].flat(),
      tokenizer: service.tokenizer,
      moreFields: warningFields,
    };
    if (!stream) return Response.json(await collect(written));
    return serverSentEvents(events(written), work, form);
  });
}

interface MessageRequest {
  readonly conversation: Conversation;
  readonly tools: ToolRequest;
  readonly thinking: ReturnType<(typeof thinkingPart)["read"]>;
  readonly schemaMode: SchemaMode;
}

function prepare(
  service: Service,
  signal: AbortSignal,
  { conversation, tools, thinking, schemaMode }: MessageRequest,
): Promise<PreparedChat> {
  const { messages, continueLast } = conversation;
  const switchedOff = thinking.isDefault && service.template().hasThinkingSwitch;
  const wanted = switchedOff ? false : thinking.thinking;
  return prepareChat(service, signal, {
    messages,
    template: { variables: thinking.variables, thinking: wanted, continueLast },
    tools,
    format: thinking.format,
    schemaMode,
  });
}
