import { z } from "zod";
import type { ToolCall, ToolMessage } from "../../text/chat-template.js";
import { badRequest } from "../failures.js";
import { optional, type RequestPart, requestPart } from "./body.js";
import { anyFields, listOf } from "./fields.js";
import { parseJson } from "./json-text.js";
import type { RequestLimits } from "./limits.js";

const part = z.object({
  type: z.literal("text", { error: 'expected "text": this server takes no other kind of content' }),
  text: z.string(),
});
const call = z.object({
  id: optional(z.string()),
  function: z.object({
    name: z.string(),
    // OpenAI sends JSON text, Ollama an object.
    arguments: optional(z.union([z.string(), anyFields])),
  }),
});

/** Messages in the common form of OpenAI and Ollama. */
const list = listOf(
  z.object({
    role: z.enum(["system", "developer", "user", "assistant", "tool"]),
    // A union of text and parts could not say which part is wrong.
    content: z.preprocess(
      (content) => (typeof content === "string" ? [{ type: "text", text: content }] : content),
      listOf(part).nullish(),
    ),
    // The names of OpenAI's servers and of Ollama.
    reasoning_content: optional(z.string()),
    reasoning: optional(z.string()),
    thinking: optional(z.string()),
    tool_calls: optional(listOf(call)),
    tool_call_id: optional(z.string()),
    // Ollama's name for `name`.
    tool_name: optional(z.string()),
    name: optional(z.string()),
  }),
);

/** A conversation of at least one message. */
export const messagesPart: RequestPart<ToolMessage[]> = requestPart(
  { messages: list.refine(({ length }) => length > 0, { error: "expected at least one message" }) },
  ({ messages }, limits) => readMessages(messages, limits),
  { messages: "messages" },
);
/** A conversation that may be empty or absent. */
export const optionalMessagesPart: RequestPart<ToolMessage[]> = requestPart(
  { messages: list.optional() },
  ({ messages = [] }, limits) => readMessages(messages, limits),
  { messages: "messages" },
);

function readMessages(messages: z.infer<typeof list>, limits: RequestLimits): ToolMessage[] {
  return messages.map((message, index) => {
    const { role, content, tool_calls: calls } = message;
    const given = message.reasoning_content ?? message.reasoning ?? message.thinking ?? "";
    const thinking = role === "assistant" ? given : "";
    if (!content && thinking === "" && (calls ?? []).length === 0) {
      const param = `messages.${index}.content`;
      throw badRequest(param, `Invalid ${param}: expected a string, or an array of parts`);
    }
    return {
      // OpenAI's newer models call the system role "developer".
      role: role === "developer" ? "system" : role,
      content: (content ?? []).map(({ text }) => text).join(""),
      ...(thinking !== "" && { thinking }),
      ...(calls !== undefined && {
        toolCalls: calls.map((each, at): ToolCall => {
          const given = each.function.arguments;
          const param = `messages.${index}.tool_calls.${at}.function.arguments`;
          return { id: each.id, name: each.function.name, arguments: parseArguments(given, param, limits) };
        }),
      }),
      ...(message.tool_call_id !== undefined && { toolCallId: message.tool_call_id }),
      ...(role === "tool" && { toolName: message.tool_name ?? message.name }),
    };
  });
}

/** The arguments of a call. @param param the field that holds them. */
export function parseArguments(
  given: string | object | undefined,
  param: string,
  limits: RequestLimits,
): unknown {
  if (typeof given !== "string") return given ?? {};
  return given === "" ? {} : parseJson(given, limits, param);
}
