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
    role: z.enum(["system", "developer", "user", "assistant", "tool", "function"]),
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
    // OpenAI's older form of a single call. Its result has the role "function".
    function_call: optional(call.shape.function),
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
  const toolNames = new Map<string | undefined, string>();
  let lastFunctionId: string | undefined;
  return messages.map((message, index) => {
    const { role, content, tool_calls: calls, function_call: legacy } = message;
    const given = message.reasoning_content ?? message.reasoning ?? message.thinking ?? "";
    const thinking = role === "assistant" ? given : "";
    const param = `messages.${index}`;
    const toolCalls = (calls ?? []).map((each, at) =>
      readCall(each, `${param}.tool_calls.${at}.function.arguments`, limits),
    );
    if (legacy !== undefined) {
      lastFunctionId = `call${index}`;
      const call = { id: lastFunctionId, function: legacy };
      toolCalls.push(readCall(call, `${param}.function_call.arguments`, limits));
    }
    if (!content && thinking === "" && toolCalls.length === 0) {
      throw badRequest(
        `${param}.content`,
        `Invalid ${param}.content: expected a string, or an array of parts`,
      );
    }
    for (const { id, name } of toolCalls) if (id !== undefined) toolNames.set(id, name);
    const isResult = role === "tool" || role === "function";
    const toolCallId = message.tool_call_id ?? (role === "function" ? lastFunctionId : undefined);
    return {
      // OpenAI's newer models call the system role "developer".
      role: role === "developer" ? "system" : isResult ? "tool" : role,
      content: (content ?? []).map(({ text }) => text).join(""),
      ...(thinking !== "" && { thinking }),
      ...(toolCalls.length > 0 && { toolCalls }),
      ...(toolCallId !== undefined && { toolCallId }),
      // Some templates name the tool of a result. OpenAI's clients give the call's id only.
      ...(isResult && { toolName: message.tool_name ?? message.name ?? toolNames.get(toolCallId) }),
    };
  });
}

function readCall(
  { id, function: { name, arguments: given } }: z.infer<typeof call>,
  param: string,
  limits: RequestLimits,
): ToolCall {
  return { id, name, arguments: parseArguments(given, param, limits) };
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
