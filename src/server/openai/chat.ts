import type { Hono } from "hono";
import { modelPart } from "../models/model-part.js";
import type { Models } from "../models/models.js";
import { requestReader } from "../requests/body.js";
import { prepareChat } from "../requests/chat-prompt.js";
import type { NumberedCall } from "../requests/choice.js";
import { isGiven, isOther, type RouteFields } from "../requests/field-rules.js";
import { messagesPart } from "../requests/messages.js";
import { openAiTemplatePart } from "../requests/thinking.js";
import { toolsPart } from "../requests/tool-calls.js";
import {
  closedObjects,
  harmlessFields,
  parallelCalls,
  unsupportedGrammars,
  unsupportedSampling,
} from "../requests/unsupported-fields.js";
import { answer, type AnswerShape, deliveryPart } from "./answer.js";
import { chatLogprobsPart, describeChatLogprobs } from "./logprobs.js";
import { responseFormatPart } from "./response-format.js";
import { samplingPart } from "./sampling.js";

const readRequest = requestReader(
  {
    model: modelPart,
    messages: messagesPart,
    template: openAiTemplatePart,
    tools: toolsPart,
    format: responseFormatPart,
    logprobs: chatLogprobsPart,
    sampling: samplingPart,
    delivery: deliveryPart,
  },
  {
    objects: closedObjects,
    harmless: [...harmlessFields, "tools[].function.strict"],
    refused: {
      functions: { asks: isGiven, advice: "use tools" },
      function_call: { asks: isOther("none", "auto"), advice: "use tool_choice" },
      parallel_tool_calls: parallelCalls,
      audio: { asks: isGiven, advice: "this server writes text only" },
      modalities: {
        asks: (value) => !Array.isArray(value) || value.some((each) => each !== "text"),
        advice: "this server writes text only",
      },
      "messages[].images": { asks: isGiven, advice: "this server reads text only" },
      "messages[].audio": { asks: isGiven, advice: "this server reads text only" },
      "messages[].function_call": { asks: isGiven, advice: "use tool_calls" },
      web_search_options: { asks: isGiven, advice: "this server does not search the web" },
      verbosity: { asks: isOther("medium"), advice: "ask for it in a message" },
      echo: { asks: isGiven, advice: "leave it out" },
      ...unsupportedGrammars,
      ...unsupportedSampling,
    },
  },
);
/** The fields of `/v1/chat/completions`. */
export const chatFields: RouteFields = readRequest.fields;

/** `/v1/chat/completions`. */
export function addChat(app: Hono, models: Models): void {
  app.on("POST", ["/v1/chat/completions", "/chat/completions"], async (context) => {
    await models.door.enter(context.req.raw.signal);
    const { model, logprobs, sampling, delivery, ...request } = await readRequest(context, models);
    const service = await models.open(context, models.find(model));
    const { prompt, chatOptions, createParser } = await prepareChat(service, context.req.raw.signal, {
      ...request,
      formatParam: "response_format",
    });
    const options = { ...sampling, ...logprobs, ...chatOptions };
    return answer(service, context, { prompts: [prompt], options, createParser, delivery, shape });
  });
}

const shape: AnswerShape = {
  idPrefix: "chatcmpl",
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  choice: ({ text, thinking, calls }, finishReason) => ({
    message: {
      role: "assistant",
      content: text === "" && calls.length > 0 ? null : text,
      ...(thinking !== "" && { reasoning_content: thinking }),
      refusal: null,
      ...(calls.length > 0 && { tool_calls: calls.map(describeCall) }),
    },
    finish_reason: finishReason,
  }),
  chunkChoice: ({ text, thinking, calls }, finishReason) => ({
    delta: {
      ...(finishReason === null &&
        (text !== "" || calls.length + thinking.length === 0) && { content: text }),
      ...(thinking !== "" && { reasoning_content: thinking }),
      ...(calls.length > 0 && {
        tool_calls: calls.map((call) => ({ index: call.index, ...describeCall(call) })),
      }),
    },
    finish_reason: finishReason,
  }),
  firstChoice: { delta: { role: "assistant", content: "" }, finish_reason: null },
  describeLogprobs: describeChatLogprobs,
};

function describeCall({ id, name, arguments: given }: NumberedCall): object {
  return { id, type: "function", function: { name, arguments: JSON.stringify(given) } };
}
