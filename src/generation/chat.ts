import { BitNetError } from "../errors.js";
import type { InnerSession } from "../engine/session.js";
import type { ChatEncodeOptions, ChatMessage, ChatTemplate } from "../text/chat-template.js";
import { checkVariables, type TemplateVariables } from "../text/template-variables.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { findThoughts, switchThinking } from "./chat-prompt.js";
import { generate } from "./generate.js";
import type { GeneratedPiece } from "./generated-piece.js";
import { commonPrefix } from "./scheduling/step-plan.js";
import type { PassCosts } from "./speculation/pass-costs.js";
import { invalidOption } from "../options/checks.js";
import type { GenerateOptions, RecommendedSampling } from "../options/generate-options.js";
import { type ResolvedGenerateOptions, resolveGenerateOptionsAsync } from "./resolve-options.js";

/** Inputs of a chat template in addition to the messages. */
export interface TemplateOptions {
  /**
   * Whether the model thinks before it answers. Refused if the model cannot think, or cannot stop thinking.
   * Default: the template decides.
   */
  readonly thinking?: boolean | undefined;
  /**
   * Variables that the chat template asks for, such as `{ enable_thinking: false }`. Values must be JSON. A
   * variable that the template does not ask for has no effect. Default: none.
   */
  readonly templateVariables?: TemplateVariables | undefined;
}

/** Options of one answer. Those for the template replace the chat's. */
export interface SendOptions extends GenerateOptions, TemplateOptions {}

/** A conversation with a model. */
export interface Chat extends Disposable {
  /** The messages, oldest first, without the dropped turns. */
  readonly messages: readonly ChatMessage[];
  /** Number of messages dropped because the context was full. */
  readonly droppedMessages: number;
  /**
   * Sends a message and gives the answer, piece by piece. Only new tokens are evaluated. Leaving the loop
   * stops the answer; its text so far stays in the conversation.
   *
   * When the conversation outgrows the context, the oldest turns are dropped whole. The system message stays.
   *
   * The pieces of a thought have `thinking: true`. It becomes the message's `thinking`, not its `content`.
   *
   * @throws BitNetError CONTEXT_FULL if even the last message alone does not fit (it does not join the
   *   conversation); INVALID_ARGUMENT during another answer; and the errors of `model.generate`.
   */
  send(text: string, options?: SendOptions): AsyncGenerator<GeneratedPiece, void, void>;
  /**
   * Continues the last message. It must be the assistant's: an answer that was stopped or cut, or the
   * beginning of one that `restart` gave. Gives the new text only. If the message has a thought and no
   * content, the thought is continued.
   *
   * @throws BitNetError INVALID_ARGUMENT if the last message is not the assistant's; if the template leaves
   *   it out; and the errors of `send`.
   */
  continueLast(options?: SendOptions): AsyncGenerator<GeneratedPiece, void, void>;
  /** Replaces the messages, for example by a saved conversation. */
  restart(messages: readonly ChatMessage[]): void;
  /** Frees the KV cache. Idempotent. */
  dispose(): void;
}

/** Tokens kept free for an answer, unless `maxTokens` is lower; at most a quarter of the context. */
const answerTokens = 512;

export function createChat(parts: {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  /** Opens an empty session. */
  readonly openSession: () => InnerSession;
  readonly contextLength: number;
  readonly passCosts: PassCosts;
  readonly system: string | undefined;
  /** Options for the template. @throws BitNetError INVALID_ARGUMENT. */
  readonly templateOptions?: TemplateOptions | undefined;
  /** Defaults of the model's file. */
  readonly sampling?: RecommendedSampling | undefined;
}): Chat {
  const { tokenizer, template, contextLength } = parts;
  const opening: readonly ChatMessage[] =
    parts.system === undefined ? [] : [{ role: "system", content: parts.system }];
  const variables = variablesOf(parts.templateOptions ?? {});
  let messages: ChatMessage[] = [...opening];
  let dropped = 0;
  let session: InnerSession | undefined;
  /** Token ids in the session's KV cache. */
  let held: readonly number[] = [];
  let busy = false;
  let disposed = false;

  function variablesOf(options: TemplateOptions): TemplateVariables {
    checkTemplateOptions(options);
    return switchThinking(tokenizer, template, options.thinking, options.templateVariables);
  }

  /** The conversation's tokens, without its oldest turns as far as `room` tokens for the answer require. */
  async function fit(
    candidate: readonly ChatMessage[],
    room: number,
    encodeOptions: ChatEncodeOptions,
    signal: AbortSignal | undefined,
  ): Promise<{ kept: ChatMessage[]; ids: number[]; lost: number }> {
    const system = candidate[0]?.role === "system" ? candidate.slice(0, 1) : [];
    let turns = candidate.slice(system.length);
    let lost = 0;
    for (;;) {
      const kept = [...system, ...turns];
      const ids = await template.encodeAsync(kept, [], { ...encodeOptions, signal });
      if (ids.length + room <= contextLength) return { kept, ids, lost };
      const next = turns.findIndex((message, index) => index > 0 && message.role === "user");
      if (next === -1) {
        if (ids.length < contextLength) return { kept, ids, lost };
        throw contextFull(ids.length, contextLength);
      }
      lost += next;
      turns = turns.slice(next);
    }
  }

  async function prepare(
    candidate: readonly ChatMessage[],
    options: GenerateOptions,
    encodeOptions: ChatEncodeOptions,
  ): Promise<Awaited<ReturnType<typeof fit>> & { readonly resolved: ResolvedGenerateOptions }> {
    const resolved = await resolveChatOptions(parts, options);
    const room = Math.min(resolved.maxTokens, answerTokens, Math.floor(contextLength / 4));
    return { resolved, ...(await fit(candidate, room, encodeOptions, resolved.signal)) };
  }

  async function* answer(
    candidate: readonly ChatMessage[],
    sent: SendOptions,
    { continueLast }: { readonly continueLast: boolean },
  ): AsyncGenerator<GeneratedPiece, void, void> {
    if (disposed) throw new BitNetError("DISPOSED", "The chat has been disposed");
    if (busy)
      throw new BitNetError("INVALID_ARGUMENT", "Cannot send during another answer: wait for its end");
    if (typeof sent !== "object" || sent === null || Array.isArray(sent))
      throw invalidOption("options", sent, "an object of options of chat.send");
    const { thinking, templateVariables, ...options } = sent;
    const encodeOptions = {
      variables: { ...variables, ...variablesOf({ thinking, templateVariables }) },
      continueLast,
    };
    busy = true;
    const preparing = prepare(candidate, options, encodeOptions);
    preparing.catch(() => (busy = false));
    const { resolved, kept, ids, lost } = await preparing;
    const last = continueLast ? kept.at(-1) : undefined;
    const generated: number[] = [];
    let [thought, content] = [last?.thinking ?? "", last?.content ?? ""];
    let started = false;
    try {
      if (disposed) throw new BitNetError("DISPOSED", "The chat has been disposed");
      const thoughts = findThoughts(tokenizer, template, ids, last) ?? undefined;
      session ??= parts.openSession();
      const common = commonPrefix(held, ids, Math.min(session.position, ids.length - 1));
      session.truncate(common);
      const maxTokens = Math.min(resolved.maxTokens, contextLength - ids.length + 1);
      const pieces = generate(
        session,
        tokenizer,
        ids.slice(common),
        { ...resolved, maxTokens, thoughts },
        parts.passCosts,
      );
      for await (const piece of pieces) {
        if (!started) {
          messages = last === undefined ? kept : kept.slice(0, -1);
          [dropped, started] = [dropped + lost, true];
        }
        if (piece.finishReason !== "abort") generated.push(piece.tokenId);
        if (piece.thinking === true) thought += piece.text;
        else content += piece.text;
        const usage = piece.usage && { ...piece.usage, promptTokens: ids.length };
        yield usage === undefined ? piece : { ...piece, usage };
      }
    } finally {
      busy = false;
      if (started && !disposed)
        messages.push({ role: "assistant", content, ...(thought !== "" && { thinking: thought }) });
      held = [...ids, ...generated].slice(0, disposed ? 0 : session?.position);
    }
  }

  const chat: Chat = {
    get messages() {
      return messages;
    },
    get droppedMessages() {
      return dropped;
    },
    async *send(text, options = {}): AsyncGenerator<GeneratedPiece, void, void> {
      if (typeof text !== "string")
        throw new BitNetError("INVALID_ARGUMENT", `Cannot send ${typeof text}: expected a string`);
      yield* answer([...messages, { role: "user", content: text }], options, { continueLast: false });
    },
    continueLast: (options = {}) => answer(messages, options, { continueLast: true }),
    restart(others): void {
      if (busy)
        throw new BitNetError("INVALID_ARGUMENT", "Cannot restart during an answer: wait for its end");
      messages = [...others];
      dropped = 0;
    },
    dispose(): void {
      disposed = true;
      session?.dispose();
    },
    [Symbol.dispose](): void {
      chat.dispose();
    },
  };
  return chat;
}

/** @throws BitNetError INVALID_ARGUMENT. */
function checkTemplateOptions({ thinking, templateVariables }: TemplateOptions): void {
  if (thinking !== undefined && typeof thinking !== "boolean")
    throw invalidOption("thinking", thinking, "true or false");
  if (Object.prototype.toString.call(templateVariables ?? {}) !== "[object Object]")
    throw invalidOption("templateVariables", templateVariables, "an object");
  if (templateVariables !== undefined) checkVariables(templateVariables);
}

function contextFull(promptTokens: number, contextLength: number): BitNetError {
  return new BitNetError(
    "CONTEXT_FULL",
    `The message does not fit: with the messages that stay it is ${promptTokens} tokens, and the context holds ${contextLength}`,
    { details: { promptTokens, contextLength } },
  );
}

async function resolveChatOptions(
  {
    tokenizer,
    sampling,
  }: { readonly tokenizer: Tokenizer; readonly sampling?: RecommendedSampling | undefined },
  options: GenerateOptions,
): Promise<ResolvedGenerateOptions> {
  const resolved = await resolveGenerateOptionsAsync(tokenizer, { ...options, thoughts: null }, sampling);
  for (const name of ["parseSpecial", "showSpecial"] as const) {
    // The template writes the control tokens of a conversation, and messages hold text only.
    if (resolved[name]) throw invalidOption(name, resolved[name], "false in a chat");
  }
  return resolved;
}
