import type { GeneratedPiece, Usage } from "../../generation/generated-piece.js";
import { newId } from "./ids.js";
import { isJsonObject, parseJsonValue } from "./incoming-text.js";
import type { AnswerPart, ToolCallParser } from "./tool-call-parser.js";

/** Why an answer ended. */
export type ChoiceEnd = "stop" | "length" | "tool_calls";

/** A tool call, or a part of it. */
export interface CallPart {
  /** Its number within the answer. */
  readonly index: number;
  readonly id: string;
  readonly name: string;
  /** Whether this is its first part. */
  readonly begins: boolean;
  /** Further text of its arguments: JSON, as the model writes it. */
  readonly text: string;
  /** All of its arguments, in the last part. */
  readonly whole: string | undefined;
}

/** A part of an answer: text, a thought, or a part of a call. */
export interface ChoiceContent {
  readonly text: string;
  readonly thinking: string;
  readonly call: CallPart | undefined;
}

/** A complete call. */
export type WholeCall = Pick<CallPart, "index" | "id" | "name"> & { readonly whole: string };

/** The content of a whole answer. */
export interface WholeContent {
  readonly text: string;
  readonly thinking: string;
  readonly calls: readonly WholeCall[];
}

/** One text of an answer. */
export interface Choice {
  /** Adds a piece. @returns the content that is certain now, in order. */
  push(piece: GeneratedPiece): readonly ChoiceContent[];
  /** Undefined until the text has ended. */
  readonly finishReason: ChoiceEnd | undefined;
  readonly usage: Usage;
}

const noContent: ChoiceContent = { text: "", thinking: "", call: undefined };

export function createChoice(parser: ToolCallParser): Choice {
  let finishReason: ChoiceEnd | undefined;
  let usage: Usage = { promptTokens: 0, generatedTokens: 0 };
  let callCount = 0;
  let call = { index: 0, id: "", name: "" };
  let whole = "";

  function contentOf(part: AnswerPart): ChoiceContent {
    if (part.kind === "text") return { ...noContent, text: part.text };
    if (part.kind === "callBegin") {
      call = { index: callCount, id: newId("call_"), name: part.name };
      whole = "";
      callCount += 1;
      return { ...noContent, call: { ...call, begins: true, text: "", whole: undefined } };
    }
    if (part.kind === "callEnd") return { ...noContent, call: { ...call, begins: false, text: "", whole } };
    whole += part.text;
    return { ...noContent, call: { ...call, begins: false, text: part.text, whole: undefined } };
  }

  return {
    push(piece): readonly ChoiceContent[] {
      // A call that the model thinks of is no call.
      const isThought = piece.thinking === true;
      const parts = isThought ? [] : parser.push(piece.text);
      const ended = piece.finishReason !== undefined && piece.finishReason !== "abort";
      if (ended) parts.push(...parser.end());
      const content = parts.map(contentOf);
      if (piece.usage !== undefined) ({ usage } = piece);
      if (ended) {
        const isCut = piece.finishReason === "length";
        const isCutCall = isCut && callCount > 0 && argumentsOf(whole) === undefined;
        finishReason = callCount > 0 && !isCutCall ? "tool_calls" : isCut ? "length" : "stop";
      }
      return isThought && piece.text !== "" ? [{ ...noContent, thinking: piece.text }, ...content] : content;
    },
    get finishReason() {
      return finishReason;
    },
    get usage() {
      return usage;
    },
  };
}

/** Joins the parts of an answer. */
export function joinContent(contents: readonly ChoiceContent[]): WholeContent {
  return {
    text: contents.map(({ text }) => text).join(""),
    thinking: contents.map(({ thinking }) => thinking).join(""),
    calls: contents.flatMap(({ call }) =>
      call?.whole === undefined ? [] : [{ ...call, whole: call.whole }],
    ),
  };
}

/** The arguments of a call as an object. Undefined if the text is no object of JSON, or is cut. */
export function argumentsOf(whole: string): Readonly<Record<string, unknown>> | undefined {
  const value = parseJsonValue(whole);
  return isJsonObject(value) ? value : undefined;
}
