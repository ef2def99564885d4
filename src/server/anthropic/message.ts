import type { GeneratedPiece, Usage } from "../../generation/generated-piece.js";
import type { Tokenizer } from "../../text/tokenizer.js";
import type { IndexedPiece } from "../jobs.js";
import { createChoice } from "../requests/choice.js";
import { newId } from "../requests/ids.js";
import { createTextParser, type ToolCallParser } from "../requests/tool-call-parser.js";
import { createContent } from "./content.js";

/** A message being written. */
export interface WrittenMessage {
  readonly pieces: AsyncIterable<IndexedPiece>;
  /** Default: the answer contains no calls. */
  readonly createParser: (() => ToolCallParser) | undefined;
  readonly model: string;
  readonly promptTokens: number;
  readonly stopSequences: readonly string[];
  readonly tokenizer: Tokenizer;
  /** Further fields of the message. */
  readonly moreFields: object;
}

/** The events of a message, in Anthropic's order. The last but one has what the message ended with. */
export async function* events(written: WrittenMessage): AsyncGenerator<object, object, void> {
  const choice = createChoice((written.createParser ?? createTextParser)());
  const content = createContent();
  const begin = {
    id: newId("msg_"),
    type: "message",
    role: "assistant",
    model: written.model,
    ...written.moreFields,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: describeUsage({ promptTokens: written.promptTokens, generatedTokens: 0 }),
  };
  yield { type: "message_start", message: begin };
  yield { type: "ping" };
  const answer: GeneratedPiece[] = [];
  for await (const { piece } of written.pieces) {
    if (piece.thinking !== true) answer.push(piece);
    for (const part of choice.push(piece)) yield* content.push(part);
  }
  yield* content.end();
  const stopSequence = choice.finishReason === "stop" ? findStop(written, answer) : null;
  const delta = {
    stop_reason: stopSequence === null ? stopReasons[choice.finishReason ?? "stop"] : "stop_sequence",
    stop_sequence: stopSequence,
  };
  const usage = describeUsage(choice.usage);
  yield { type: "message_delta", delta, usage };
  yield { type: "message_stop" };
  return { ...begin, ...delta, content: content.blocks, usage };
}

/** The whole message. */
export async function collect(written: WrittenMessage): Promise<object> {
  const all = events(written);
  for (;;) {
    const { value, done } = await all.next();
    if (done === true) return value;
  }
}

const stopReasons = { stop: "end_turn", length: "max_tokens", tool_calls: "tool_use" } as const;

/** The stop string that ended the text. The pieces do not show it, but their tokens spell it. */
function findStop(
  { tokenizer, stopSequences }: WrittenMessage,
  answer: readonly GeneratedPiece[],
): string | null {
  if (stopSequences.length === 0) return null;
  const ids = answer.map(({ tokenId }) => tokenId).filter((id) => !tokenizer.endOfGenerationIds.has(id));
  const text = tokenizer.decode(ids, { skipSpecial: false });
  const found = stopSequences
    .map((stop) => ({ stop, end: text.indexOf(stop) + stop.length, at: text.indexOf(stop) }))
    .filter(({ at }) => at !== -1)
    .sort((a, b) => a.end - b.end);
  return found[0]?.stop ?? null;
}

/** Nothing is counted as cached. */
function describeUsage({ promptTokens, generatedTokens, thinkingTokens }: Usage): object {
  return {
    input_tokens: promptTokens,
    output_tokens: generatedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    ...(thinkingTokens !== undefined && { output_tokens_details: { thinking_tokens: thinkingTokens } }),
  };
}
