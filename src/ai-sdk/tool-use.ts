import type { LanguageModelV3CallOptions, LanguageModelV3FunctionTool } from "@ai-sdk/provider";
import { BitNetError } from "../errors.js";
import type { Grammar } from "../grammar/grammar.js";
import { jsonGrammarAsync } from "../grammar/json-grammar.js";
import { toolCallGrammar } from "../grammar/tool-grammar.js";
import { invalidOption } from "../options/checks.js";
import {
  createTextParser,
  createToolCallParser,
  type ToolCallParser,
} from "../server/requests/tool-call-parser.js";
import type { ChatTemplate, Tool, ToolMessage } from "../text/chat-template.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { marksOf } from "../text/tool-syntax.js";

/** The tools of a call, and the form of its answer. */
export interface ToolUse {
  /** The tools for the chat template. */
  readonly tools: readonly Tool[];
  readonly parser: ToolCallParser;
  /** The grammar of an answer that must be a call, or JSON. */
  readonly grammar: Grammar | undefined;
  /** Control tokens that the parser must see in the text. */
  readonly shownTokens: readonly string[];
}

type GivenTool = NonNullable<LanguageModelV3CallOptions["tools"]>[number];
type ToolChoice = NonNullable<LanguageModelV3CallOptions["toolChoice"]>;

export function isFunction(tool: GivenTool): tool is LanguageModelV3FunctionTool {
  return tool.type === "function";
}

/** @throws BitNetError INVALID_ARGUMENT if the template has no tools; for an unknown tool, or schema. */
export async function useTools(
  { tokenizer, template }: { readonly tokenizer: Tokenizer; readonly template: ChatTemplate },
  messages: readonly ToolMessage[],
  call: LanguageModelV3CallOptions,
): Promise<ToolUse> {
  const { toolChoice: choice = { type: "auto" }, responseFormat: format } = call;
  const tools = choice.type === "none" ? [] : (call.tools ?? []).filter(isFunction).map(describeTool);
  const forced = forcedTools(tools, choice);
  const schema = format?.type === "json" ? (format.schema ?? { type: "object" }) : undefined;
  const { toolSyntax: syntax } = template;
  const hasCalls = messages.some(({ role, toolCalls = [] }) => role === "tool" || toolCalls.length > 0);
  if (syntax === undefined && (tools.length > 0 || hasCalls)) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      "Cannot use tools with this model: its chat template has no place for them, or an unknown syntax of calls",
    );
  }
  if (syntax === undefined || tools.length === 0) {
    const grammar = schema === undefined ? undefined : await jsonGrammarAsync(schema);
    return { tools, parser: createTextParser(), grammar, shownTokens: [] };
  }
  const names = tools.map((tool) => tool.function.name);
  const isForced = forced !== undefined || schema !== undefined;
  const otherwiseJson = forced === undefined ? schema : undefined;
  return {
    tools,
    parser: createToolCallParser(syntax, { names }),
    grammar: isForced
      ? await toolCallGrammar(tokenizer, { syntax, tools: forced ?? tools, otherwiseJson })
      : undefined,
    shownTokens: marksOf(syntax),
  };
}

function describeTool({ name, description, inputSchema }: LanguageModelV3FunctionTool): Tool {
  return { type: "function", function: { name, description, parameters: inputSchema } };
}

/** The tools of which one must be called. Undefined if none must. */
function forcedTools(tools: readonly Tool[], choice: ToolChoice): readonly Tool[] | undefined {
  if (choice.type !== "required" && choice.type !== "tool") return undefined;
  const name = choice.type === "tool" ? choice.toolName : undefined;
  const forced = tools.filter((tool) => name === undefined || tool.function.name === name);
  if (forced.length > 0) return forced;
  throw invalidOption("toolChoice", name ?? choice.type, "at least one tool, and the name of one of them");
}
