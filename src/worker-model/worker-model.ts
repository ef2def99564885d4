import type { Chat } from "../generation/chat.js";
import type { ChatOptions, LanguageModel } from "../language-model/language-model.js";
import type { ChatMessage } from "../text/chat-template.js";
import type { EncodeOptions } from "../text/tokenizer.js";

/**
 * A model in a worker of its own. Its calls are those of `LanguageModel`, and they throw the same errors. A
 * call that answers at once there gives a promise here. The worker generates a token only when the caller
 * asks for it.
 */
export interface WorkerModel
  extends AsyncDisposable, Pick<LanguageModel, "info" | "generate" | "complete" | "embed"> {
  /** Starts a conversation in the model's own chat format. */
  chat(options?: ChatOptions): Promise<WorkerChat>;
  /** Splits a text into token ids, as `LanguageModel.tokenize`. */
  tokenize(text: string, options?: EncodeOptions): Promise<number[]>;
  /** Turns token ids into text, as `LanguageModel.detokenize`. */
  detokenize(ids: readonly number[]): Promise<string>;
  /** Ends the worker and frees the memory. Calls under way reject with DISPOSED. Idempotent. */
  dispose(): Promise<void>;
}

/** A conversation with a model in a worker of its own. */
export interface WorkerChat extends AsyncDisposable, Pick<Chat, "send" | "continueLast"> {
  /** The messages, oldest first, without the dropped turns. */
  readonly messages: Promise<readonly ChatMessage[]>;
  /** Number of messages dropped because the context was full. */
  readonly droppedMessages: Promise<number>;
  /** Replaces the messages, for example by a saved conversation. */
  restart(messages: readonly ChatMessage[]): Promise<void>;
  /** Frees the KV cache. Idempotent. */
  dispose(): Promise<void>;
}
