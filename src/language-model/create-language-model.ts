import type { OpenableModel } from "../checkpoints/openable-model.js";
import type { Engine } from "../engine/engine.js";
import type { Session } from "../engine/session.js";
import { BitNetError, throwIfAborted } from "../errors.js";
import { type Chat, createChat } from "../generation/chat.js";
import { embed } from "../generation/embed.js";
import { type EmbedOptions, resolveEmbedOptions } from "../generation/embed-options.js";
import { generate } from "../generation/generate.js";
import type { GeneratedPiece } from "../generation/generated-piece.js";
import { createPassCosts } from "../generation/speculation/pass-costs.js";
import { promptTokens } from "../generation/prompt.js";
import { resolveGenerateOptionsAsync } from "../generation/resolve-options.js";
import type { GenerateOptions } from "../options/generate-options.js";
import {
  createScheduler,
  type Scheduler,
  type SchedulerOptions,
} from "../generation/scheduling/scheduler.js";
import { checkWhole } from "../options/checks.js";
import { refuseUnknownOptions } from "../options/known-options.js";
import { type ChatTemplate, createChatTemplate } from "../text/chat-template.js";
import type { EncodeOptions, Tokenizer } from "../text/tokenizer.js";
import { embeddedIds } from "./embedded-ids.js";
import { type EmbeddedTexts, keepInternals, type TextLimits } from "./internals.js";
import type { ChatOptions, LanguageModel, SessionOptions } from "./language-model.js";
import type { ModelInfo } from "./model-info.js";

const encodeOptions: Record<keyof EncodeOptions, true> = { addSpecial: true, parseSpecial: true };
const chatOptions: Record<keyof ChatOptions, true> = {
  system: true,
  thinking: true,
  templateVariables: true,
};
const sessionOptions: Record<keyof SessionOptions, true> = { contextLength: true };
const schedulerOptions: Record<keyof SchedulerOptions, true> = {
  parallel: true,
  queueLimit: true,
  contextLength: true,
};

/** Makes the object that users hold out of the parts that `loadModel` has opened. */
export function createLanguageModel(parts: {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  readonly info: ModelInfo;
  /** Closed when the model is disposed. */
  readonly source: OpenableModel;
  /** Whether "last" pooling appends EOS even if the tokenizer does not. */
  readonly appendsEos: boolean;
}): LanguageModel {
  const { engine, tokenizer, info, source, appendsEos } = parts;
  const { contextLength, sampling } = info;
  const passCosts = createPassCosts();
  let disposed = false;
  let template: ChatTemplate | undefined;
  function requireAlive(): void {
    if (disposed) throw new BitNetError("DISPOSED", "The model has been disposed");
  }

  async function* run(prompt: string, options?: GenerateOptions): AsyncGenerator<GeneratedPiece, void, void> {
    requireAlive();
    const resolved = await resolveGenerateOptionsAsync(tokenizer, options, sampling);
    throwIfAborted(resolved.signal);
    const ids = await promptTokens(tokenizer, prompt, contextLength, resolved);
    // The last token of a text is never evaluated, so one position fewer than prompt and text is enough.
    using session = engine.openSession(Math.min(contextLength, ids.length + resolved.maxTokens - 1));
    yield* generate(session, tokenizer, ids, resolved, passCosts);
  }

  async function embedTexts(
    texts: readonly string[],
    options?: EmbedOptions,
    { truncates }: TextLimits = { truncates: false },
  ): Promise<EmbeddedTexts> {
    requireAlive();
    const resolved = resolveEmbedOptions(options, engine.description);
    const sequences = await embeddedIds(tokenizer, texts, resolved, {
      contextLength,
      appendsEos,
      truncates,
    });
    const vectors = await embed(engine, sequences, resolved.pooling, resolved.signal);
    return { vectors, tokens: sequences.reduce((sum, ids) => sum + ids.length, 0) };
  }

  const model: LanguageModel = {
    info,
    generate: run,
    async complete(prompt, options): Promise<string> {
      let text = "";
      try {
        for await (const piece of run(prompt, options)) text += piece.text;
      } catch (error) {
        if (!(error instanceof BitNetError) || error.code !== "CONTEXT_FULL") throw error;
        throw new BitNetError(error.code, error.message, {
          cause: error.cause,
          details: { ...error.details, text },
        });
      }
      return text;
    },
    embed: async (texts, options) => (await embedTexts(texts, options)).vectors,
    chat(options = {}): Chat {
      requireAlive();
      refuseUnknownOptions("chat", options, Object.keys(chatOptions));
      return createChat({
        tokenizer,
        template: (template ??= createChatTemplate(tokenizer)),
        openSession: () => engine.openSession(contextLength),
        contextLength,
        passCosts,
        system: options.system,
        templateOptions: options,
        sampling,
      });
    },
    tokenize(text, options): number[] {
      requireAlive();
      refuseUnknownOptions("tokenize", options, Object.keys(encodeOptions));
      return tokenizer.encode(text, options);
    },
    detokenize(ids): string {
      requireAlive();
      return tokenizer.decode(ids);
    },
    createSession(options = {}): Session {
      requireAlive();
      refuseUnknownOptions("createSession", options, Object.keys(sessionOptions));
      return engine.openSession(options.contextLength ?? contextLength);
    },
    createScheduler(options = {}): Scheduler {
      requireAlive();
      refuseUnknownOptions("createScheduler", options, Object.keys(schedulerOptions));
      return createScheduler(engine, tokenizer, {
        parallel: checkWhole("parallel", options.parallel ?? 4, 1, 256),
        queueLimit: checkWhole("queueLimit", options.queueLimit ?? 256, 0, 1 << 20),
        contextLength: checkWhole("contextLength", options.contextLength ?? contextLength, 1, contextLength),
        sampling,
      });
    },
    async dispose(): Promise<void> {
      disposed = true;
      await engine.dispose();
      await source.close();
    },
    [Symbol.asyncDispose](): Promise<void> {
      return model.dispose();
    },
  };
  keepInternals(model, { engine, tokenizer, embed: embedTexts });
  return model;
}
