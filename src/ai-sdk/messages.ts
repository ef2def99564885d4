import type { LanguageModelV3Message, LanguageModelV3ToolResultPart } from "@ai-sdk/provider";
import { BitNetError } from "../errors.js";
import type { ToolCall, ToolMessage } from "../text/chat-template.js";

/**
 * A message of the AI SDK as messages of a chat template: each result of a tool becomes one.
 * @throws BitNetError INVALID_ARGUMENT for content that is not text.
 */
export function chatMessages(message: LanguageModelV3Message): readonly ToolMessage[] {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }];
    case "user":
      return [{ role: "user", content: message.content.map(textOf).join("") }];
    case "assistant":
      return [assistantMessage(message.content)];
    case "tool":
      // An approval is for tools that a provider runs itself.
      return message.content.filter((part) => part.type === "tool-result").map(resultMessage);
  }
}

type AssistantContent = Extract<LanguageModelV3Message, { role: "assistant" }>["content"];

function assistantMessage(parts: AssistantContent): ToolMessage {
  let [content, thinking] = ["", ""];
  const toolCalls: ToolCall[] = [];
  for (const part of parts) {
    if (part.type === "reasoning") thinking += part.text;
    else if (part.type === "tool-call")
      toolCalls.push({ id: part.toolCallId, name: part.toolName, arguments: part.input });
    else content += textOf(part);
  }
  return { role: "assistant", content, ...(thinking !== "" && { thinking }), toolCalls };
}

function resultMessage({ toolCallId, toolName, output }: LanguageModelV3ToolResultPart): ToolMessage {
  return { role: "tool", toolCallId, toolName, content: outputText(output) };
}

function outputText(output: LanguageModelV3ToolResultPart["output"]): string {
  switch (output.type) {
    case "text":
    case "error-text":
      return output.value;
    case "json":
    case "error-json":
      return JSON.stringify(output.value);
    case "execution-denied":
      return output.reason ?? "The user denied this call.";
    case "content":
      return output.value.map(textOf).join("");
  }
}

function textOf(part: { readonly type: string; readonly text?: string }): string {
  if (part.type === "text" && part.text !== undefined) return part.text;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot use a part of the type "${part.type}" in a message: the model reads text only`,
    { details: { type: part.type } },
  );
}
