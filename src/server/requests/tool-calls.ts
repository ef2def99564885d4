import { z } from "zod";
import type { Grammar } from "../../grammar/grammar.js";
import { collectWarnings } from "../../grammar/json-grammar.js";
import { toolCallGrammar, type ToolGrammarOptions } from "../../grammar/tool-grammar.js";
import type { InnerGenerateOptions } from "../../generation/resolve-options.js";
import type { Tool, ToolMessage } from "../../text/chat-template.js";
import type { Tokenizer } from "../../text/tokenizer.js";
import { marksOf, type ToolSyntax } from "../../text/tool-syntax.js";
import { badRequest } from "../failures.js";
import type { Service } from "../service.js";
import { optional, type RequestPart, requestPart } from "./body.js";
import { anyFields, listOf } from "./fields.js";
import {
  type AskedSchema,
  checkSchemaSize,
  keepSchema,
  type KeptSchema,
  schemaGrammar,
  type SchemaMode,
} from "./json-format.js";
import type { RequestLimits } from "./limits.js";
import { createToolCallParser, type ToolCallParser, type ToolCallParserOptions } from "./tool-call-parser.js";

/** The tools of a request, before the model is asked whether it knows tools. */
export interface ToolRequest {
  readonly tools: readonly Tool[];
  readonly choice: "none" | "auto" | "required" | { readonly name: string };
  /** Whether an answer may have several calls. Undefined: it may, but a forced answer has one. */
  readonly parallel: boolean | undefined;
}

/** The fields of a function, in every protocol. */
export const toolFields: {
  readonly name: z.ZodType<string>;
  readonly description: z.ZodType<string | undefined>;
  readonly parameters: z.ZodType<Readonly<Record<string, unknown>> | undefined>;
} = {
  name: z.string().regex(/^[\w.-]{1,128}$/, { error: "expected 1 to 128 letters, digits, _, - or ." }),
  description: optional(z.string()),
  parameters: optional(anyFields),
};
/** Maximum number of tools in a request. */
export const maxTools = 128;

/** Maximum number of calls in a forced answer. A small model would call without end. */
const maxForcedCalls = 16;

/** The fields about tools, in the common form of OpenAI and Ollama. */
export const toolsPart: RequestPart<ToolRequest> = requestPart(
  {
    tools: optional(
      listOf(
        z.object({
          type: z.literal("function", { error: 'expected "function": there is no other kind of tool' }),
          function: z.object(toolFields),
        }),
        { max: maxTools },
      ),
    ),
    tool_choice: optional(
      z.union(
        [
          z.enum(["none", "auto", "required"]),
          z.object({ type: z.literal("function"), function: z.object({ name: z.string() }) }),
        ],
        { error: 'expected "none", "auto", "required" or { type: "function", function: { name } }' },
      ),
    ),
    parallel_tool_calls: optional(z.boolean()),
  },
  ({ tools = [], tool_choice: choice = "auto", parallel_tool_calls: parallel }) => ({
    tools,
    choice: typeof choice === "object" ? choice.function : choice,
    parallel,
  }),
);

/** How one request uses tools. */
export interface ToolUse {
  /** The tools for the chat template. */
  readonly tools: readonly Tool[];
  /** Makes the parser of an answer; undefined if the answer cannot contain calls. */
  readonly createParser: (() => ToolCallParser) | undefined;
  /** Of an answer that must be a call, or that must follow a schema unless it is a call. */
  readonly grammar: Grammar | undefined;
  /** The answer's fields about keywords of the schema that it may violate. */
  readonly warningFields: KeptSchema["warningFields"];
  /** Ends an answer after its only call. */
  readonly createWatcher: InnerGenerateOptions["createWatcher"];
  /** Control tokens that the parser must see in the text. */
  readonly shownTokens: readonly string[];
}

/** The schema of an answer that is no call. */
export interface AskedFormat {
  readonly format: AskedSchema | undefined;
  readonly schemaMode: SchemaMode;
}

/**
 * Decides how a request uses its tools, and keeps the answer to its schema. With both, the model chooses
 * between calls and an answer. A Failure with status 400 says that the model's template cannot
 * describe tools, or that the choice names none of them.
 *
 * @param service.template called only if the request uses tools.
 */
export async function useTools(
  { tools, choice, parallel }: ToolRequest,
  { format, schemaMode }: AskedFormat,
  messages: readonly ToolMessage[],
  { template, limits, tokenizer }: Pick<Service, "template" | "limits" | "tokenizer">,
): Promise<ToolUse> {
  const named = typeof choice === "object" ? choice.name : undefined;
  const allowed = tools.filter((tool) => named === undefined || tool.function.name === named);
  if (allowed.length === 0 && choice !== "auto" && choice !== "none")
    throw badRequest("tool_choice", `Invalid tool_choice: there is no such tool among tools`);
  const callOrResult = messages.findIndex(
    ({ role, toolCalls = [] }) => role === "tool" || toolCalls.length > 0,
  );
  const used = tools.length > 0 && choice !== "none";
  const withoutTools = async (): Promise<ToolUse> => ({
    ...(await schemaGrammar(format, schemaMode, limits)),
    ...{ tools: [], createParser: undefined, createWatcher: undefined, shownTokens: [] },
  });
  if (!used && callOrResult === -1) return withoutTools();
  const { toolSyntax } = template();
  if (toolSyntax === undefined) {
    throw badRequest(
      used ? "tools" : `messages.${callOrResult}.role`,
      "This model cannot be told of tools: its chat template has no place for them, or asks for them in a way that this server does not know. Load it with a chatTemplate that does",
    );
  }
  if (!used) return withoutTools();
  const isForced = choice !== "auto";
  if (isForced || format !== undefined) {
    for (const { function: tool } of allowed) {
      checkSchemaSize({ param: "tools", schema: tool.parameters ?? {} }, limits);
    }
  }
  const options = {
    names: tools.map((tool) => tool.function.name),
    // The piece that ends the only call may have more text.
    maxCalls: parallel === false ? 1 : undefined,
  };
  const maxCalls = parallel === true && named === undefined ? maxForcedCalls : 1;
  const calls = { syntax: toolSyntax, tools: allowed, maxCalls };
  const kept = await keepAnswer(tokenizer, calls, { isForced, format, schemaMode }, limits);
  return {
    ...kept,
    tools,
    createParser: () => createToolCallParser(toolSyntax, options),
    // The grammar ends a forced answer.
    createWatcher:
      parallel === false && choice === "auto" ? (): CallWatcher => watchCall(toolSyntax, options) : undefined,
    shownTokens: marksOf(toolSyntax),
  };
}

/** An answer of calls only, of calls or JSON by a schema, or of any text. */
async function keepAnswer(
  tokenizer: Tokenizer,
  calls: ToolGrammarOptions,
  { isForced, format, schemaMode }: AskedFormat & { readonly isForced: boolean },
  limits: RequestLimits,
): Promise<KeptSchema> {
  if (isForced) {
    // A forced call does not follow the schema, but a wrong schema is still a mistake.
    await schemaGrammar(format, schemaMode, limits);
    return { grammar: await toolCallGrammar(tokenizer, calls), warningFields: {} };
  }
  if (format === undefined) return { grammar: undefined, warningFields: {} };
  const { warnings, onWeakened } = collectWarnings();
  const options = {
    ...calls,
    otherwiseJson: format.schema,
    onWeakened: schemaMode === "loose" ? onWeakened : undefined,
  };
  return keepSchema(format, limits, async () => ({
    grammar: await toolCallGrammar(tokenizer, options),
    warnings,
  }));
}

/** Receives the text of an answer. @returns true at the end of a call. */
type CallWatcher = (text: string) => boolean;

function watchCall(syntax: ToolSyntax, options: ToolCallParserOptions): CallWatcher {
  const parser = createToolCallParser(syntax, options);
  return (text) => parser.push(text).some(({ kind }) => kind === "callEnd");
}
