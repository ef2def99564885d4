import type { Hono } from "hono";
import { z } from "zod";
import { encodeOpenTextAsync } from "../../generation/prompt.js";
import { modelPart } from "../models/model-part.js";
import type { Models } from "../models/models.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import { isGiven, isOther, type RouteFields } from "../requests/field-rules.js";
import { isIds, isTexts } from "../requests/fields.js";
import { schemaGrammar, schemaModePart } from "../requests/json-format.js";
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

type PromptField = string | readonly string[] | readonly number[] | readonly (readonly number[])[];
const maxPrompts = 64;
const promptField = z.custom<PromptField>(
  (value) =>
    typeof value === "string" ||
    isIds(value) ||
    isTexts(value, maxPrompts) ||
    (Array.isArray(value) && value.length > 0 && value.length <= maxPrompts && value.every(isIds)),
  { error: `expected a string, token ids, or an array of at most ${maxPrompts} of either` },
);
const readRequest = requestReader(
  {
    model: modelPart,
    prompt: requestPart(
      { prompt: promptField, parse_special: optional(z.boolean()) },
      ({ prompt, parse_special: parseSpecial = false }) => ({ prompt, parseSpecial }),
    ),
    format: responseFormatPart,
    schemaMode: schemaModePart,
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
export function addCompletions(app: Hono, models: Models): void {
  app.on("POST", ["/v1/completions", "/completions"], async (context) => {
    await models.door.enter(context.req.raw.signal);
    const { model, prompt, format, schemaMode, logprobs, sampling, delivery } = await readRequest(
      context,
      models,
    );
    const service = await models.open(context, models.find(model));
    const { grammar, warningFields } = await schemaGrammar(format, schemaMode, service.limits);
    const prompts = await encodePrompts(service, prompt, context.req.raw.signal);
    const options = { ...sampling, ...logprobs, grammar };
    return answer(service, context, { prompts, options, delivery, shape, moreFields: warningFields });
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
async function encodePrompts(
  { tokenizer, checkPromptSize }: Service,
  { prompt, parseSpecial }: { readonly prompt: PromptField; readonly parseSpecial: boolean },
  signal: AbortSignal,
): Promise<(readonly number[])[]> {
  if (isIds(prompt)) return [prompt];
  const list = typeof prompt === "string" ? [prompt] : prompt;
  for (const text of list) if (typeof text === "string") checkPromptSize([text]);
  const prompts: (readonly number[])[] = [];
  for (const each of list) {
    const isText = typeof each === "string";
    prompts.push(
      isText ? await encodeOpenTextAsync(tokenizer, each, { parseSpecial, signal }) : [each].flat(),
    );
  }
  return prompts;
}
