import { z } from "zod";
import type { ToolCall, ToolMessage } from "../../text/chat-template.js";
import { checkBody, optional } from "../body.js";
import { badRequest } from "../failures.js";

const part = z.object({
  type: z.literal("text", { error: 'expected "text": this server takes no other kind of content' }),
  text: z.string(),
});
const call = z.object({
  id: optional(z.string()),
  function: z.object({
    name: z.string(),
    // A text with OpenAI, an object with Ollama.
    arguments: optional(z.union([z.string(), z.record(z.string(), z.unknown())])),
  }),
});
const schema = z.object({
  messages: z
    .array(
      z.object({
        role: z.enum(["system", "developer", "user", "assistant", "tool"]),
        // Not a union: its message would not say which part is wrong.
        content: z.preprocess(
          (content) => (typeof content === "string" ? [{ type: "text", text: content }] : content),
          z.array(part).nullish(),
        ),
        tool_calls: optional(z.array(call)),
        tool_call_id: optional(z.string()),
        // Ollama's name of it.
        tool_name: optional(z.string()),
        name: optional(z.string()),
      }),
    )
    .min(1),
});

/** The conversation of a request. */
export function readMessages(body: unknown): ToolMessage[] {
  return checkBody(schema, body).messages.map((message, index) => {
    const { role, content, tool_calls: calls } = message;
    if (!content && (calls ?? []).length === 0) {
      const param = `messages.${index}.content`;
      throw badRequest(param, `Invalid ${param}: expected a string, or an array of parts`);
    }
    return {
      // What was "system" is "developer" for OpenAI's newer models.
      role: role === "developer" ? "system" : role,
      content: (content ?? []).map(({ text }) => text).join(""),
      ...(calls !== undefined && {
        toolCalls: calls.map((each, at): ToolCall => {
          const given = each.function.arguments;
          const param = `messages.${index}.tool_calls.${at}.function.arguments`;
          return { id: each.id, name: each.function.name, arguments: parseArguments(given, param) };
        }),
      }),
      ...(message.tool_call_id !== undefined && { toolCallId: message.tool_call_id }),
      ...(role === "tool" && { toolName: message.tool_name ?? message.name }),
    };
  });
}

function parseArguments(given: string | object | undefined, param: string): unknown {
  if (typeof given !== "string") return given ?? {};
  try {
    return given === "" ? {} : (JSON.parse(given) as unknown);
  } catch {
    throw badRequest(param, `Invalid ${param}: it is not JSON`);
  }
}
