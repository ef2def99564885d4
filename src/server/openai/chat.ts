import type { Hono } from "hono";
import { badRequest } from "../failures.js";
import { isGiven, requestReader } from "../requests/body.js";
import { messagesPart } from "../requests/messages.js";
import { encodeMessages, openAiTemplatePart, textsOf } from "../requests/thinking.js";
import { toolsPart, useTools } from "../requests/tool-calls.js";
import type { Service } from "../service.js";
import { answer, type AnswerShape, deliveryPart } from "./answer.js";
import type { NumberedCall } from "./choice.js";
import { chatLogprobsPart, describeChatLogprobs } from "./logprobs.js";
import { responseFormatPart } from "./response-format.js";
import { samplingPart } from "./sampling.js";

const readRequest = requestReader(
  {
    messages: messagesPart,
    template: openAiTemplatePart,
    tools: toolsPart,
    format: responseFormatPart,
    logprobs: chatLogprobsPart,
    sampling: samplingPart,
    delivery: deliveryPart,
  },
  { functions: isGiven, audio: isGiven },
);

/** `/v1/chat/completions`. */
export function addChat(app: Hono, service: Service): void {
  app.post("/v1/chat/completions", async (context) => {
    const { messages, template, format, logprobs, sampling, delivery, ...request } =
      await readRequest(context);
    service.checkPromptSize(textsOf(messages, template));
    const use = useTools(request.tools, messages, service.template);
    const { tools, createParser, shownTokens, grammar = format } = use;
    if (format !== undefined && tools.length > 0) {
      throw badRequest(
        "response_format",
        "This server does not support response_format beside tools: leave one of them out, or set tool_choice to none",
      );
    }
    const { ids, thoughts } = encodeMessages(service, messages, tools, template);
    const options = { ...sampling, ...logprobs, grammar, shownTokens, thoughts };
    return answer(service, context, { prompts: [ids], options, createParser, delivery, shape });
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
