import type { LanguageModelV3CallOptions, SharedV3Warning } from "@ai-sdk/provider";
import { BitNetError } from "../errors.js";
import type { TemplateOptions } from "../generation/chat.js";
import { encodeChatAsync, switchThinking } from "../generation/chat-prompt.js";
import type { InnerGenerateOptions } from "../generation/resolve-options.js";
import { invalidOption } from "../options/checks.js";
import type { GenerateOptions } from "../options/generate-options.js";
import type { ToolCallParser } from "../server/requests/tool-call-parser.js";
import type { ChatTemplate } from "../text/chat-template.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { chatMessages } from "./messages.js";
import { isFunction, type ToolUse, useTools } from "./tool-use.js";

/** A call that is ready to be answered. */
export interface PreparedCall {
  readonly prompt: readonly number[];
  readonly options: InnerGenerateOptions;
  readonly parser: ToolCallParser;
  /** The settings that have no effect, and why. */
  readonly warnings: SharedV3Warning[];
}

/** The parts of a model that a call needs. */
export interface PromptParts {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly contextLength: number;
}

/** @throws BitNetError INVALID_ARGUMENT, CONTEXT_FULL; the signal's reason. */
export async function prepareCall(
  { tokenizer, template, contextLength }: PromptParts,
  call: LanguageModelV3CallOptions,
): Promise<PreparedCall> {
  const own = (call.providerOptions?.bitnet ?? {}) as GenerateOptions & TemplateOptions;
  const messages = call.prompt.flatMap(chatMessages);
  const use = await useTools({ tokenizer, template }, messages, call);
  checkOwnOptions(own, use);
  const { thinking, templateVariables, ...more } = own;
  const { ids, thoughts } = await encodeChatAsync(tokenizer, template, messages, {
    tools: use.tools,
    variables: switchThinking(tokenizer, template, thinking, templateVariables),
    signal: call.abortSignal,
  });
  if (ids.length >= contextLength) {
    throw new BitNetError(
      "CONTEXT_FULL",
      `The messages are ${ids.length} tokens, and the context holds ${contextLength}: shorten them`,
      { details: { promptTokens: ids.length, contextLength } },
    );
  }
  const { maxTokens = Infinity, ...settings } = { ...commonSettings(call), ...more };
  return {
    prompt: ids,
    options: {
      ...settings,
      // A text that fills the context ends with "length".
      maxTokens: Math.min(maxTokens, contextLength - ids.length + 1),
      grammar: use.grammar,
      shownTokens: use.shownTokens,
      thoughts,
      signal: call.abortSignal,
    },
    parser: use.parser,
    warnings: warningsOf(call, use),
  };
}

/** Checks the options that would have no effect here. `scheduler.generate` checks the others. */
function checkOwnOptions(own: GenerateOptions & TemplateOptions, use: ToolUse): void {
  const { thinking, parseSpecial = false, showSpecial = false, jsonSchema } = own;
  if (thinking !== undefined && typeof thinking !== "boolean")
    throw invalidOption("thinking", thinking, "true or false");
  if (parseSpecial) throw invalidOption("parseSpecial", parseSpecial, "false in a chat");
  if (showSpecial) throw invalidOption("showSpecial", showSpecial, "false in a chat");
  if (jsonSchema !== undefined && use.grammar !== undefined)
    throw invalidOption("jsonSchema", jsonSchema, "none beside an object or a demanded call");
}

/** The AI SDK's settings by the names of the library, which checks their ranges. */
function commonSettings(call: LanguageModelV3CallOptions): GenerateOptions {
  const { maxOutputTokens, stopSequences, ...same } = call;
  const { temperature, topP, topK, presencePenalty, frequencyPenalty, seed } = same;
  const given = { temperature, topP, topK, presencePenalty, frequencyPenalty, seed };
  return { ...given, maxTokens: maxOutputTokens, stop: stopSequences };
}

function warningsOf(call: LanguageModelV3CallOptions, use: ToolUse): SharedV3Warning[] {
  const given = call.tools ?? [];
  const functions = use.tools.length === 0 ? [] : given.filter(isFunction);
  const unsupported: (readonly [feature: string, details: string, isAsked: boolean])[] = [
    ["tools of a provider", "the model calls functions only", !given.every(isFunction)],
    [
      "inputExamples of tools",
      "chat templates have no place for them",
      functions.some(({ inputExamples }) => inputExamples !== undefined),
    ],
    [
      "strict tools",
      "calls keep their schema only if toolChoice demands a call, or the answer is an object",
      use.grammar === undefined && functions.some(({ strict }) => strict === true),
    ],
    ["includeRawChunks", "there are no chunks of a protocol", call.includeRawChunks === true],
  ];
  return unsupported
    .filter(([, , isAsked]) => isAsked)
    .map(([feature, details]) => ({ type: "unsupported", feature, details }));
}
