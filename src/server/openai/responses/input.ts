import { z } from "zod";
import type { ToolCall, ToolMessage } from "../../../text/chat-template.js";
import { badRequest } from "../../failures.js";
import { optional, type RequestPart, requestPart } from "../../requests/body.js";
import { listOf } from "../../requests/fields.js";
import type { RequestLimits } from "../../requests/limits.js";
import { parseArguments } from "../../requests/messages.js";

const part = z.object({
  type: z.enum(["input_text", "output_text", "text", "reasoning_text", "summary_text"], {
    error: "expected a part of text: this server takes no other kind of content",
  }),
  text: z.string(),
});
/** A text, or its parts. A union could not say which part is wrong. */
const content = z.preprocess(
  (given) => (typeof given === "string" ? [{ type: "text", text: given }] : given),
  listOf(part).transform((parts) => parts.map(({ text }) => text).join("")),
);
const item = z.discriminatedUnion(
  "type",
  [
    z.object({
      type: z.literal("message"),
      role: z.enum(["user", "assistant", "system", "developer"]),
      content,
    }),
    z.object({
      type: z.literal("function_call"),
      call_id: z.string(),
      name: z.string(),
      arguments: z.string(),
    }),
    z.object({ type: z.literal("function_call_output"), call_id: z.string(), output: content }),
    z.object({
      type: z.literal("reasoning"),
      summary: optional(content),
      content: optional(content),
    }),
  ],
  {
    error:
      'expected "message", "function_call", "function_call_output" or "reasoning": this server stores no items and has no built-in tools',
  },
);
const inputField = z.preprocess(
  (given) =>
    typeof given === "string"
      ? [{ type: "message", role: "user", content: given }]
      : Array.isArray(given)
        ? given.map(withType)
        : given,
  listOf(item),
);

/** A message needs no type. */
function withType(given: unknown): unknown {
  const isMessage = typeof given === "object" && given !== null && "role" in given && !("type" in given);
  return isMessage ? { ...given, type: "message" } : given;
}

/** The conversation that a response answers. */
export interface ResponseInput {
  readonly messages: readonly ToolMessage[];
  readonly instructions: string | null;
}

/** `input` and `instructions`, as the messages of a chat. */
export const inputPart: RequestPart<ResponseInput> = requestPart(
  { input: inputField, instructions: optional(z.string()) },
  ({ input, instructions }, limits) => {
    const messages = readItems(input, limits);
    if (messages.length === 0) throw badRequest("input", "Invalid input: expected at least one item");
    const system = instructions === undefined ? [] : [{ role: "system", content: instructions } as const];
    return { messages: [...system, ...messages], instructions: instructions ?? null };
  },
  { input: "messages" },
);

/** The items of an assistant's turn, its thought, text and calls, are one message. */
function readItems(items: z.infer<typeof inputField>, limits: RequestLimits): ToolMessage[] {
  const messages: ToolMessage[] = [];
  const toolNames = new Map<string, string>();
  /** The thought of the assistant's next message. */
  let thinking = "";
  function push(message: ToolMessage): void {
    const thought = thinking === "" ? {} : { thinking };
    thinking = "";
    if (message.role === "assistant") messages.push({ ...message, ...thought });
    else messages.push(...("thinking" in thought ? [{ ...emptyAnswer, ...thought }] : []), message);
  }
  function pushCall(call: ToolCall): void {
    const last = messages.at(-1);
    if (last?.role !== "assistant" || thinking !== "") push({ ...emptyAnswer, toolCalls: [call] });
    else messages[messages.length - 1] = { ...last, toolCalls: [...(last.toolCalls ?? []), call] };
  }
  for (const [index, each] of items.entries()) {
    if (each.type === "message") {
      // OpenAI's newer models call the system role "developer".
      push({ role: each.role === "developer" ? "system" : each.role, content: each.content });
    } else if (each.type === "reasoning") {
      thinking += each.content ?? each.summary ?? "";
    } else if (each.type === "function_call") {
      const { call_id: id, name } = each;
      toolNames.set(id, name);
      pushCall({ id, name, arguments: parseArguments(each.arguments, `input.${index}.arguments`, limits) });
    } else {
      const { call_id: toolCallId, output } = each;
      push({ role: "tool", content: output, toolCallId, toolName: toolNames.get(toolCallId) });
    }
  }
  if (thinking !== "") push(emptyAnswer);
  return messages;
}

const emptyAnswer: ToolMessage = { role: "assistant", content: "" };
