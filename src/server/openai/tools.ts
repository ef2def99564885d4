import { z } from "zod";
import type { Grammar } from "../../grammar/grammar.js";
import { toolCallGrammar } from "../../grammar/tool-grammar.js";
import type { Tool, ToolMessage } from "../../text/chat-template.js";
import { checkBody, optional } from "../body.js";
import { badRequest } from "../failures.js";
import type { Service } from "../service.js";
import { createToolReader, type ToolReader } from "../tool-reader.js";

const schema = z.object({
  tools: optional(
    z
      .array(
        z.object({
          type: z.literal("function", { error: 'expected "function": there is no other kind of tool' }),
          function: z.object({
            name: z
              .string()
              .regex(/^[\w.-]{1,128}$/, { error: "expected 1 to 128 letters, digits, _, - or ." }),
            description: optional(z.string()),
            parameters: optional(z.record(z.string(), z.unknown())),
          }),
        }),
      )
      .max(128),
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
});

/** What a request's tools come to. */
export interface ToolUse {
  /** Those that the model is told of. */
  readonly tools: readonly Tool[];
  /** Finds calls in an answer; undefined where there can be none. */
  readonly openReader: (() => ToolReader) | undefined;
  /** What the answer must be, where it must be a call. */
  readonly grammar: Grammar | undefined;
}

const none: ToolUse = { tools: [], openReader: undefined, grammar: undefined };

/** @throws BitNetError INVALID_ARGUMENT if the model cannot be told of tools, or a tool is chosen that is not there. */
export function readTools({ template }: Service, body: unknown, messages: readonly ToolMessage[]): ToolUse {
  const { tools = [], tool_choice: choice = "auto" } = checkBody(schema, body);
  const named = typeof choice === "object" ? choice.function.name : undefined;
  const allowed = tools.filter((tool) => named === undefined || tool.function.name === named);
  if (allowed.length === 0 && choice !== "auto" && choice !== "none")
    throw badRequest("tool_choice", `Invalid tool_choice: there is no such tool among tools`);
  const answered = messages.findIndex(({ role, toolCalls = [] }) => role === "tool" || toolCalls.length > 0);
  const used = tools.length > 0 && choice !== "none";
  if (!used && answered === -1) return none;
  const { toolSyntax } = template();
  if (toolSyntax === undefined) {
    throw badRequest(
      used ? "tools" : `messages.${answered}.role`,
      "This model cannot be told of tools: its chat template has no place for them, or asks for them in a way that this server does not know",
    );
  }
  if (!used) return none;
  const names = tools.map((tool) => tool.function.name);
  return {
    tools,
    openReader: () => createToolReader(toolSyntax, names),
    grammar: choice === "auto" ? undefined : toolCallGrammar(toolSyntax, allowed),
  };
}
