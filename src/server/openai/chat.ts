import type { Hono } from "hono";
import { modelPart } from "../models/model-part.js";
import type { Models } from "../models/models.js";
import { requestReader } from "../requests/body.js";
import { prepareChat } from "../requests/chat-prompt.js";
import { isGiven, isOther, type RouteFields } from "../requests/field-rules.js";
import { schemaModePart } from "../requests/json-format.js";
import { messagesPart } from "../requests/messages.js";
import { openAiTemplatePart } from "../requests/thinking.js";
import {
  closedObjects,
  harmlessFields,
  unsupportedGrammars,
  unsupportedSampling,
} from "../requests/unsupported-fields.js";
import { answer, type AnswerShape, deliveryPart } from "./answer.js";
import { chatLogprobsPart, describeChatLogprobs } from "./logprobs.js";
import { responseFormatPart } from "./response-format.js";
import { samplingPart } from "./sampling.js";
import { type CallFields, chatToolsPart, describeDelta } from "./tools.js";

const readRequest = requestReader(
  {
    model: modelPart,
    messages: messagesPart,
    template: openAiTemplatePart,
    tools: chatToolsPart,
    format: responseFormatPart,
    schemaMode: schemaModePart,
    logprobs: chatLogprobsPart,
    sampling: samplingPart,
    delivery: deliveryPart,
  },
  {
    objects: closedObjects,
    harmless: [...harmlessFields, "tools[].function.strict"],
    refused: {
      audio: { asks: isGiven, advice: "this server writes text only" },
      modalities: {
        asks: (value) => !Array.isArray(value) || value.some((each) => each !== "text"),
        advice: "this server writes text only",
      },
      "messages[].images": { asks: isGiven, advice: "this server reads text only" },
      "messages[].audio": { asks: isGiven, advice: "this server reads text only" },
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
    const { signal } = context.req.raw;
    const prepared = await prepareChat(service, signal, request);
    const { prompt, chatOptions, createParser, warningFields: moreFields } = prepared;
    const options = { ...sampling, ...logprobs, ...chatOptions };
    const shape = shapeOf(request.tools.form);
    return answer(service, context, {
      prompts: [prompt],
      options,
      createParser,
      delivery,
      shape,
      moreFields,
    });
  });
}

function shapeOf(form: CallFields): AnswerShape {
  return {
    idPrefix: "chatcmpl",
    object: "chat.completion",
    chunkObject: "chat.completion.chunk",
    choice: ({ text, thinking, calls }, finishReason) => ({
      message: {
        role: "assistant",
        content: text === "" && calls.length > 0 ? null : text,
        ...(thinking !== "" && { reasoning_content: thinking }),
        refusal: null,
        ...form.whole(calls),
      },
      finish_reason: form.finishReason(finishReason),
    }),
    chunkChoice: (content, finishReason) => ({
      delta: finishReason === null ? describeDelta(content, form) : {},
      finish_reason: form.finishReason(finishReason),
    }),
    firstChoice: { delta: { role: "assistant", content: "" }, finish_reason: null },
    describeLogprobs: describeChatLogprobs,
  };
}
