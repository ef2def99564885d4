import { z } from "zod";
import type { ChatMessage } from "../../text/chat-template.js";
import { checkBody } from "../body.js";

const part = z.object({
  type: z.literal("text", { error: 'expected "text": this server takes no other kind of content' }),
  text: z.string(),
});
const schema = z.object({
  messages: z
    .array(
      z.object({
        role: z.enum(["system", "developer", "user", "assistant"]),
        // Not a union: its message would not say which part is wrong.
        content: z.preprocess(
          (content) => (typeof content === "string" ? [{ type: "text", text: content }] : content),
          z.array(part),
        ),
      }),
    )
    .min(1),
});

/** The conversation of a request. */
export function readMessages(body: unknown): ChatMessage[] {
  return checkBody(schema, body).messages.map(({ role, content }) => ({
    // What was "system" is "developer" for OpenAI's newer models.
    role: role === "developer" ? "system" : role,
    content: content.map(({ text }) => text).join(""),
  }));
}
