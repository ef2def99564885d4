import { z } from "zod";
import type { ToolCall, ToolMessage } from "../../text/chat-template.js";
import { badRequest } from "../failures.js";
import { optional, type RequestPart, requestPart } from "../requests/body.js";
import { anyFields, listOf } from "../requests/fields.js";

/** A text counts as one block. A union could not say which block is wrong. */
function asBlocks(given: unknown): unknown {
  return typeof given === "string" ? [{ type: "text", text: given }] : given;
}
const textBlock = z.object({
  type: z.literal("text", { error: 'expected "text": this server takes no other kind of content here' }),
  text: z.string(),
});
const texts = z.preprocess(
  asBlocks,
  listOf(textBlock).transform((blocks) => blocks.map(({ text }) => text).join("")),
);
const block = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("text"), text: z.string() }),
    z.object({ type: z.literal("thinking"), thinking: z.string() }),
    z.object({
      type: z.literal("tool_use"),
      id: z.string(),
      name: z.string(),
      input: anyFields,
    }),
    z.object({ type: z.literal("tool_result"), tool_use_id: z.string(), content: optional(texts) }),
  ],
  {
    error:
      'expected "text", "thinking", "tool_use" or "tool_result": this server reads text only and has no tools of its own',
  },
);
const messagesField = listOf(
  z.object({
    role: z.enum(["user", "assistant", "system"]),
    content: z.preprocess(asBlocks, listOf(block)),
  }),
  { min: 1 },
);

/** The conversation of a request. */
export interface Conversation {
  readonly messages: readonly ToolMessage[];
  /** Whether the last message is the beginning of the answer. */
  readonly continueLast: boolean;
}

/** `system` and `messages`, as the messages of a chat. */
export const conversationPart: RequestPart<Conversation> = requestPart(
  { system: optional(texts), messages: messagesField },
  ({ system = "", messages: given }) => {
    const toolNames = new Map<string, string>();
    const messages = given.flatMap(({ role, content }, index) => {
      const param = `messages.${index}.content`;
      return role === "assistant"
        ? [readAnswer(content, param, toolNames)]
        : readQuestion(role, content, param, toolNames);
    });
    const last = messages.at(-1);
    const continueLast = last?.role === "assistant";
    if (continueLast && last.toolCalls !== undefined) {
      throw badRequest("messages", "Invalid messages: the results of the last message's calls are missing");
    }
    const instructions = system === "" ? [] : [{ role: "system", content: system } as const];
    return { messages: [...instructions, ...messages], continueLast };
  },
  { messages: "messages" },
);

type Blocks = readonly z.infer<typeof block>[];

/** An assistant's blocks are one message. @param toolNames receives the names of its calls, by id. */
function readAnswer(blocks: Blocks, param: string, toolNames: Map<string, string>): ToolMessage {
  let [content, thinking] = ["", ""];
  const toolCalls: ToolCall[] = [];
  for (const [index, each] of blocks.entries()) {
    if (each.type === "text") content += each.text;
    else if (each.type === "thinking") thinking += each.thinking;
    else if (each.type === "tool_use") {
      const { id, name, input } = each;
      toolNames.set(id, name);
      toolCalls.push({ id, name, arguments: input });
    } else throw wrongRole(`${param}.${index}`, "a user");
  }
  if (content === "" && thinking === "" && toolCalls.length === 0) throw isEmpty(param);
  return {
    role: "assistant",
    content,
    ...(thinking !== "" && { thinking }),
    ...(toolCalls.length > 0 && { toolCalls }),
  };
}

/** Each result of a tool is a message of its own. */
function readQuestion(
  role: "user" | "system",
  blocks: Blocks,
  param: string,
  toolNames: ReadonlyMap<string, string>,
): ToolMessage[] {
  if (blocks.length === 0) throw isEmpty(param);
  const messages: ToolMessage[] = [];
  for (const [index, each] of blocks.entries()) {
    if (each.type === "tool_result") {
      const { tool_use_id: toolCallId, content = "" } = each;
      messages.push({ role: "tool", content, toolCallId, toolName: toolNames.get(toolCallId) });
    } else if (each.type === "text") {
      const last = messages.at(-1);
      if (last?.role === role) messages[messages.length - 1] = { ...last, content: last.content + each.text };
      else messages.push({ role, content: each.text });
    } else throw wrongRole(`${param}.${index}`, "an assistant");
  }
  return messages;
}

function wrongRole(param: string, role: string): Error {
  return badRequest(`${param}.type`, `Invalid ${param}.type: only ${role} has such a block`);
}

function isEmpty(param: string): Error {
  return badRequest(param, `Invalid ${param}: expected a text, or at least one block`);
}
