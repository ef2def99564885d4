import { BitNetError } from "../errors.js";
import type { ChatMessage } from "../text/chat-template.js";

/** The text of a file with a conversation. */
export function formatConversation(messages: readonly ChatMessage[]): string {
  return `${JSON.stringify({ messages }, undefined, 2)}\n`;
}

/**
 * @param file the file's name, for errors.
 * @throws BitNetError INVALID_ARGUMENT unless the text has the form of `formatConversation`.
 */
export function parseConversation(json: string, file: string): readonly ChatMessage[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new BitNetError("INVALID_ARGUMENT", `Cannot load "${file}": it is not JSON`, { cause });
  }
  const { messages } = (value ?? {}) as { readonly messages?: unknown };
  if (!Array.isArray(messages) || !messages.every(isMessage)) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot load "${file}": expected { "messages": [{ "role": "user", "content": "…" }, …] }`,
    );
  }
  return messages;
}

function isMessage(value: unknown): value is ChatMessage {
  if (typeof value !== "object" || value === null) return false;
  const { role, content, thinking } = value as Readonly<Record<string, unknown>>;
  return (
    ["system", "user", "assistant"].includes(String(role)) &&
    typeof content === "string" &&
    (thinking === undefined || typeof thinking === "string")
  );
}
