import type { Hono } from "hono";
import { z } from "zod";
import { encodeOpenText } from "../../generation/prompt.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import { isGiven, isOther, type RouteFields } from "../requests/field-rules.js";
import {
  closedObjects,
  harmlessFields,
  unsupportedGrammars,
  unsupportedSampling,
} from "../requests/unsupported-fields.js";
import type { Service } from "../service.js";
import { answer, type AnswerShape, deliveryPart } from "./answer.js";
import { describeTextLogprobs, textLogprobsPart } from "./logprobs.js";
import { responseFormatPart } from "./response-format.js";
import { samplingPart } from "./sampling.js";

const ids = z.array(z.int().min(0)).min(1);
const promptField = z.union(
  [z.string(), z.array(z.string()).min(1).max(64), ids, z.array(ids).min(1).max(64)],
  {
    error: "expected a string, token ids, or an array of at most 64 of either",
  },
);
const readRequest = requestReader(
  {
    prompt: requestPart(
      { prompt: promptField, parse_special: optional(z.boolean()) },
      ({ prompt, parse_special: parseSpecial = false }) => ({ prompt, parseSpecial }),
    ),
    format: responseFormatPart,
    logprobs: textLogprobsPart,
    sampling: samplingPart,
    delivery: deliveryPart,
  },
  {
    objects: closedObjects,
    harmless: harmlessFields,
    refused: {
      suffix: { asks: isGiven, advice: "no ternary model fills in the middle of a text" },
      echo: { asks: isGiven, advice: "put the prompt before the text yourself" },
      best_of: { asks: isOther(1), advice: "use n with logprobs, and choose" },
      ...unsupportedGrammars,
      ...unsupportedSampling,
    },
  },
);
/** The fields of `/v1/completions`. */
export const completionFields: RouteFields = readRequest.fields;

/** `/v1/completions`. */
export function addCompletions(app: Hono, service: Service): void {
  app.on("POST", ["/v1/completions", "/completions"], async (context) => {
    const { prompt, format, logprobs, sampling, delivery } = await readRequest(context);
    const prompts = encodePrompts(service, prompt);
    const options = { ...sampling, ...logprobs, grammar: format };
    return answer(service, context, { prompts, options, delivery, shape });
  });
}

const shape: AnswerShape = {
  idPrefix: "cmpl",
  object: "text_completion",
  chunkObject: "text_completion",
  choice: ({ text }, finishReason) => ({ text, finish_reason: finishReason }),
  chunkChoice: ({ text }, finishReason) => ({ text, finish_reason: finishReason }),
  describeLogprobs: describeTextLogprobs,
};

/** The token ids of each prompt. */
function encodePrompts(
  { tokenizer, checkPromptSize }: Service,
  { prompt, parseSpecial }: { readonly prompt: z.infer<typeof promptField>; readonly parseSpecial: boolean },
): (readonly number[])[] {
  for (const text of [prompt].flat()) if (typeof text === "string") checkPromptSize([text]);
  const encode = (text: string): number[] => encodeOpenText(tokenizer, text, { parseSpecial });
  if (typeof prompt === "string") return [encode(prompt)];
  if (prompt.every((item) => typeof item === "number")) return [prompt];
  return prompt.map((item) => (typeof item === "string" ? encode(item) : [item].flat()));
}
