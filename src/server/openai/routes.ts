import type { Hono } from "hono";
import { z } from "zod";
import { checkBody, isGiven, readJson, refuseFeatures } from "../body.js";
import { badRequest, failureResponse } from "../failures.js";
import type { Service } from "../service.js";
import { readResponseFormat } from "../json-format.js";
import { answer, type AnswerShape, type NumberedCall } from "./answer.js";
import { chatLogprobs, textLogprobs } from "./logprobs.js";
import { readMessages } from "./messages.js";
import { readTools } from "./tools.js";

const chatShape: AnswerShape = {
  idPrefix: "chatcmpl",
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  choice: (text, finishReason, calls) => ({
    message: {
      role: "assistant",
      content: text === "" && calls.length > 0 ? null : text,
      refusal: null,
      ...(calls.length > 0 && { tool_calls: calls.map(describeCall) }),
    },
    finish_reason: finishReason,
  }),
  chunkChoice: (text, finishReason, calls) => ({
    delta: {
      ...(finishReason === null && (text !== "" || calls.length === 0) && { content: text }),
      ...(calls.length > 0 && {
        tool_calls: calls.map((call) => ({ index: call.index, ...describeCall(call) })),
      }),
    },
    finish_reason: finishReason,
  }),
  firstChoice: { delta: { role: "assistant", content: "" }, finish_reason: null },
  logprobs: chatLogprobs,
};

function describeCall({ id, name, arguments: given }: NumberedCall): object {
  return { id, type: "function", function: { name, arguments: JSON.stringify(given) } };
}

const textShape: AnswerShape = {
  idPrefix: "cmpl",
  object: "text_completion",
  chunkObject: "text_completion",
  choice: (text, finishReason) => ({ text, finish_reason: finishReason }),
  chunkChoice: (text, finishReason) => ({ text, finish_reason: finishReason }),
  logprobs: textLogprobs,
};

const unsupportedInChat = { functions: isGiven, audio: isGiven };
const unsupportedInText = {
  suffix: isGiven,
  echo: isGiven,
  best_of: (value: unknown): boolean => isGiven(value) && value !== 1,
};

const ids = z.array(z.int().min(0)).min(1);
const promptSchema = z.object({
  prompt: z.union([z.string(), z.array(z.string()).min(1).max(64), ids, z.array(ids).min(1).max(64)], {
    error: "expected a string, token ids, or an array of at most 64 of either",
  }),
});

/** A completion's prompts, as token ids. */
function readPrompts({ model, checkTexts }: Service, body: unknown): (readonly number[])[] {
  const { prompt } = checkBody(promptSchema, body);
  for (const text of [prompt].flat()) if (typeof text === "string") checkTexts([text]);
  if (typeof prompt === "string") return [promptIds(model, prompt)];
  if (prompt.every((item) => typeof item === "number")) return [prompt];
  return prompt.map((item) => (typeof item === "string" ? promptIds(model, item) : [item].flat()));
}

/** A text that is to go on has not ended, so EOS is left out. */
export function promptIds({ tokenizer }: Service["model"], text: string): number[] {
  const tokens = tokenizer.encode(text);
  if (tokenizer.addsEos) tokens.pop();
  return tokens;
}

/** OpenAI's routes. */
export function addOpenAi(app: Hono, service: Service): void {
  const description = {
    id: service.name,
    object: "model",
    created: Math.floor(service.startedAt.getTime() / 1000),
    owned_by: "bitnet-wasm",
    context_length: service.model.info.contextLength,
  };
  app.get("/v1/models", (context) => context.json({ object: "list", data: [description] }));
  app.get("/v1/models/:id{.+}", (context) => {
    const id = context.req.param("id");
    if (id === service.name) return context.json(description);
    return failureResponse(
      {
        status: 404,
        message: `There is no model "${id}": this server has "${service.name}"`,
        type: "invalid_request_error",
        param: "model",
        code: "model_not_found",
      },
      context.req.path,
    );
  });
  app.post("/v1/chat/completions", async (context) => {
    const body = await readJson(context);
    refuseFeatures(body, unsupportedInChat);
    const messages = readMessages(body);
    service.checkTexts(messages.map(({ content }) => content));
    const format = readResponseFormat(body);
    const { tools, openReader, grammar } = readTools(service, body, messages);
    if (format !== undefined && tools.length > 0) {
      throw badRequest(
        "response_format",
        "This server does not support response_format beside tools: leave one of them out, or set tool_choice to none",
      );
    }
    const prompts = [service.template().encode(messages, tools)];
    return answer(service, context, body, { prompts, grammar: grammar ?? format, openReader }, chatShape);
  });
  app.post("/v1/completions", async (context) => {
    const body = await readJson(context);
    refuseFeatures(body, unsupportedInText);
    const grammar = readResponseFormat(body);
    return answer(service, context, body, { prompts: readPrompts(service, body), grammar }, textShape);
  });
}
