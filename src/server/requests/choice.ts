import type { GeneratedPiece, Usage } from "../../generation/generated-piece.js";
import type { ToolCall } from "../../text/chat-template.js";
import { newId } from "./ids.js";
import type { ToolCallParser } from "./tool-call-parser.js";

/** Why an answer ended. */
export type ChoiceEnd = "stop" | "length" | "tool_calls";

/** A tool call and its number within the answer. */
export interface NumberedCall extends ToolCall {
  readonly index: number;
  readonly id: string;
}

/** The content of an answer, or of a part of it. */
export interface ChoiceContent {
  readonly text: string;
  readonly thinking: string;
  readonly calls: readonly NumberedCall[];
}

/** One text of an answer. */
export interface Choice {
  /** Adds a piece. @returns the content that it completes. */
  push(piece: GeneratedPiece): ChoiceContent;
  /** Undefined until the text has ended. */
  readonly finishReason: ChoiceEnd | undefined;
  readonly usage: Usage;
}

export function createChoice(parser: ToolCallParser): Choice {
  let finishReason: ChoiceEnd | undefined;
  let usage: Usage = { promptTokens: 0, generatedTokens: 0 };
  let callCount = 0;
  return {
    push(piece): ChoiceContent {
      // A call that the model thinks of is no call.
      const isThought = piece.thinking === true;
      const parts = isThought ? [] : [parser.push(piece.text)];
      const ended = piece.finishReason !== undefined && piece.finishReason !== "abort";
      if (ended) parts.push(parser.end());
      const calls = parts
        .flatMap((part) => part.calls)
        .map((call, at) => ({
          ...call,
          index: callCount + at,
          id: newId("call_"),
        }));
      callCount += calls.length;
      if (piece.usage !== undefined) ({ usage } = piece);
      if (ended) {
        finishReason = callCount > 0 ? "tool_calls" : piece.finishReason === "length" ? "length" : "stop";
      }
      const text = parts.map((part) => part.text).join("");
      return { text, thinking: isThought ? piece.text : "", calls };
    },
    get finishReason() {
      return finishReason;
    },
    get usage() {
      return usage;
    },
  };
}
