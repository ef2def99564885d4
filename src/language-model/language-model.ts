import type { Chat, TemplateOptions } from "../generation/chat.js";
import type { EmbedOptions } from "../generation/embed-options.js";
import type { GeneratedPiece } from "../generation/generated-piece.js";
import type { GenerateOptions } from "../options/generate-options.js";
import type { Scheduler, SchedulerOptions } from "../generation/scheduling/scheduler.js";
import type { Session } from "../engine/session.js";
import type { EncodeOptions } from "../text/tokenizer.js";
import type { ModelInfo } from "./model-info.js";

/** Options of `model.chat`. */
export interface ChatOptions extends TemplateOptions {
  /** The system message, which stays when old turns are dropped. Default: none. */
  readonly system?: string | undefined;
}

/** Options of `model.createSession`. */
export interface SessionOptions {
  /**
   * Positions in the session's KV cache, 1 to `model.info.contextLength`. Default:
   * `model.info.contextLength`.
   */
  readonly contextLength?: number | undefined;
}

/**
 * A model in memory. Its worker threads run until it is disposed, by `await using` or `dispose()`.
 *
 * Calls may overlap: passes over the weights take turns. Unknown options are refused with INVALID_ARGUMENT.
 */
export interface LanguageModel extends AsyncDisposable {
  /** Sizes, formats, memory and defaults of the model. */
  readonly info: ModelInfo;
  /**
   * Continues a prompt and yields one piece per token, as soon as the token is generated. Leaving the loop
   * stops the work.
   *
   * @param prompt the text to continue. Control tokens spelled in it are plain text unless `parseSpecial` is
   *   true.
   * @example
   * for await (const piece of model.generate("Once upon a time", { maxTokens: 64, temperature: 0 })) {
   *   process.stdout.write(piece.text);
   * }
   * @throws BitNetError INVALID_ARGUMENT, CONTEXT_FULL, OUT_OF_MEMORY, WORKER_FAILED, DISPOSED; MODEL_INVALID
   *   for a logit that is infinite or NaN; FILE_READ if the file has changed and the model still reads it.
   *   Rejects with `signal.reason` after the signal fires.
   */
  generate(prompt: string, options?: GenerateOptions): AsyncGenerator<GeneratedPiece, void, void>;
  /**
   * Continues a prompt like `generate` and returns the whole text, without the prompt.
   *
   * @example
   * const text = await model.complete("Once upon a time", { maxTokens: 64 });
   * @throws BitNetError as `generate`. After CONTEXT_FULL, `details.text` is the text so far.
   */
  complete(prompt: string, options?: GenerateOptions): Promise<string>;
  /**
   * Embeds texts, several in one pass. Each vector has length 1, so the dot product of two vectors is their
   * cosine similarity.
   *
   * An embedding model pools as its file says. Other models use the mean of the last hidden states. A text
   * longer than the context is refused, not cut.
   *
   * @returns one vector of `model.info.width` numbers per text, in the order of the texts.
   * @example
   * const [query] = await model.embed(["how do plants eat?"], { kind: "query" });
   * const documents = await model.embed(["Photosynthesis turns light into sugar.", "Cats sleep a lot."]);
   * @throws BitNetError INVALID_ARGUMENT, CONTEXT_FULL, OUT_OF_MEMORY, WORKER_FAILED, DISPOSED; MODEL_INVALID
   *   for a vector that is not finite or has the length 0. Rejects with `signal.reason`.
   */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array<ArrayBuffer>[]>;
  /**
   * Starts a conversation in the model's own chat format.
   *
   * @example
   * using chat = model.chat({ system: "You are helpful." });
   * for await (const piece of chat.send("Hello!", { maxTokens: 64 })) process.stdout.write(piece.text);
   * @throws BitNetError MODEL_INVALID if the model's chat template cannot be parsed; INVALID_ARGUMENT, also
   *   for thoughts that cannot be switched; DISPOSED.
   */
  chat(options?: ChatOptions): Chat;
  /**
   * Splits a text into token ids. BOS and EOS are added if the model wants them, unless `addSpecial` is
   * false.
   *
   * @throws BitNetError INVALID_ARGUMENT, DISPOSED.
   */
  tokenize(text: string, options?: EncodeOptions): number[];
  /**
   * Turns token ids into text. Control tokens are omitted; bytes that are not UTF-8 become U+FFFD.
   *
   * @throws BitNetError INVALID_ARGUMENT for a number that is not a token id; DISPOSED.
   */
  detokenize(ids: readonly number[]): string;
  /**
   * Allocates a KV cache and returns a session that evaluates tokens in it.
   *
   * @example
   * using session = model.createSession({ contextLength: 64 });
   * const logits = await session.evaluate(model.tokenize("The king and the"));
   * @throws BitNetError INVALID_ARGUMENT, OUT_OF_MEMORY, DISPOSED.
   */
  createSession(options?: SessionOptions): Session;
  /**
   * Creates a scheduler, which generates many texts at the same time: one pass over the weights serves all of
   * them. Dispose it before the model.
   *
   * @example
   * const scheduler = model.createScheduler({ parallel: 4 });
   * const texts = ["The king", "The fox"].map(async (prompt) => {
   *   let text = "";
   *   for await (const piece of scheduler.generate(prompt, { maxTokens: 32 })) text += piece.text;
   *   return text;
   * });
   * console.log(await Promise.all(texts));
   * await scheduler.dispose();
   * @throws BitNetError INVALID_ARGUMENT, DISPOSED.
   */
  createScheduler(options?: SchedulerOptions): Scheduler;
  /** Stops the worker threads and frees the memory. Calls under way reject with DISPOSED. Idempotent. */
  dispose(): Promise<void>;
}
