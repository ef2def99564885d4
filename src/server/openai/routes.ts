import type { Hono } from "hono";
import { z } from "zod";
import { checkBody, isGiven, readJson, refuseFeatures } from "../body.js";
import { failureResponse } from "../failures.js";
import type { Service } from "../service.js";
import { answer, type AnswerShape } from "./answer.js";
import { readMessages } from "./messages.js";

const chatShape: AnswerShape = {
  idPrefix: "chatcmpl",
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  choice: ({ text, finishReason }) => ({
    message: { role: "assistant", content: text, refusal: null },
    finish_reason: finishReason,
  }),
  chunkChoice: (text, finishReason) => ({
    delta: finishReason === null ? { content: text } : {},
    finish_reason: finishReason,
  }),
  firstChoice: { delta: { role: "assistant", content: "" }, finish_reason: null },
};

const textShape: AnswerShape = {
  idPrefix: "cmpl",
  object: "text_completion",
  chunkObject: "text_completion",
  choice: ({ text, finishReason }) => ({ text, finish_reason: finishReason }),
  chunkChoice: (text, finishReason) => ({ text, finish_reason: finishReason }),
};

const otherThanText = (format: unknown): boolean =>
  isGiven(format) && (format as { readonly type?: unknown }).type !== "text";
const unsupportedInChat = {
  tools: isGiven,
  functions: isGiven,
  response_format: otherThanText,
  logprobs: isGiven,
  audio: isGiven,
};
const unsupportedInText = {
  suffix: isGiven,
  echo: isGiven,
  logprobs: (value: unknown): boolean => value !== undefined && value !== null,
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
    return answer(service, context, body, [service.template().encode(messages)], chatShape);
  });
  app.post("/v1/completions", async (context) => {
    const body = await readJson(context);
    refuseFeatures(body, unsupportedInText);
    return answer(service, context, body, readPrompts(service, body), textShape);
  });
}
