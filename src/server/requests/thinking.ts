import { z } from "zod";
import { type ChatPrompt, encodeChatAsync, switchThinking } from "../../generation/chat-prompt.js";
import type { Tool, ToolMessage } from "../../text/chat-template.js";
import { shareTurn } from "../../text/slices.js";
import { type TemplateVariables, thinkingSwitch } from "../../text/template-variables.js";
import { badRequest } from "../failures.js";
import type { Service } from "../service.js";
import { optional, type RequestPart, requestPart } from "./body.js";
import { anyFields } from "./fields.js";

/** Inputs of the chat template besides the messages and the tools. */
export interface TemplateRequest {
  readonly variables: TemplateVariables;
  /** Whether the model is to think. Undefined leaves it to the template and the variables. */
  readonly thinking: boolean | undefined;
  readonly continueLast: boolean;
}

/** The efforts of OpenAI's models. */
export const effortField: z.ZodType<string | undefined> = optional(
  z.enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
);

/** The fields of OpenAI (`reasoning_effort`) and of vLLM and llama.cpp's server (the others). */
export const openAiTemplatePart: RequestPart<TemplateRequest> = requestPart(
  {
    chat_template_kwargs: optional(anyFields),
    reasoning_effort: effortField,
    continue_final_message: optional(z.boolean()),
    add_generation_prompt: optional(z.boolean()),
  },
  ({ chat_template_kwargs: given = {}, reasoning_effort: effort, ...request }) => {
    const { continue_final_message: continueLast = false, add_generation_prompt: opens } = request;
    if (opens !== undefined && opens === continueLast) {
      throw badRequest(
        "add_generation_prompt",
        continueLast
          ? "Invalid add_generation_prompt: it excludes continue_final_message"
          : "Invalid add_generation_prompt: false needs continue_final_message to be true",
      );
    }
    return { ...readEffort(effort, given), continueLast };
  },
);

/** @param given variables of the request. They decide where both say something. */
export function readEffort(
  effort: string | undefined,
  given: TemplateVariables,
): Pick<TemplateRequest, "variables" | "thinking"> {
  const wanted = effort === undefined || effort === "none" ? {} : effortVariables(effort);
  return {
    variables: { ...wanted, ...given },
    thinking: effort === "none" && given[thinkingSwitch] === undefined ? false : undefined,
  };
}

/** Ollama's field `think`. False is a wish, unlike an absent field. */
export const ollamaTemplatePart: RequestPart<TemplateRequest> = requestPart(
  {
    think: optional(
      z.union([z.boolean(), z.enum(["low", "medium", "high", "max"])], {
        error: 'expected true, false, "low", "medium", "high" or "max"',
      }),
    ),
  },
  ({ think }) => ({
    variables: typeof think === "string" ? effortVariables(think) : {},
    thinking: typeof think === "string" ? true : think,
    continueLast: false,
  }),
);

/** Templates without these variables ignore them. */
function effortVariables(effort: string): TemplateVariables {
  return { reasoning_effort: effort, [thinkingSwitch]: true };
}

/** The prompt of a request's messages. @throws BitNetError INVALID_ARGUMENT if the template refuses them. */
export async function encodeMessages(
  { tokenizer, template }: Pick<Service, "tokenizer" | "template">,
  messages: readonly ToolMessage[],
  tools: readonly Tool[],
  { variables, thinking, continueLast, signal }: TemplateRequest & { readonly signal: AbortSignal },
): Promise<ChatPrompt> {
  await shareTurn();
  // The first request makes the template, which takes some milliseconds.
  const made = template();
  const switched = switchThinking(tokenizer, made, thinking, variables);
  await shareTurn();
  return encodeChatAsync(tokenizer, made, messages, {
    tools,
    variables: switched,
    continueLast,
    signal,
  });
}

/** The texts of a request that its prompt can contain. */
export function textsOf(messages: readonly ToolMessage[], { variables }: TemplateRequest): string[] {
  return [
    ...messages.flatMap(({ content, thinking = "" }) => [content, thinking]),
    JSON.stringify(variables),
  ];
}
