import type { Scheduler } from "../generation/scheduling/scheduler.js";
import { internalsOf } from "../language-model/internals.js";
import type { LanguageModel } from "../language-model/language-model.js";
import { type ChatTemplate, createChatTemplate } from "../text/chat-template.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { createEmbeddingQueue, type EmbedTexts } from "./embedding-queue.js";
import type { RequestTracker } from "./request-tracker.js";
import type { RequestLimits } from "./requests/limits.js";
import { createPromptLimit } from "./requests/prompt-limit.js";

/** A loaded model, and the means of every route that uses it. */
export interface Service {
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  /** The model's name for clients. */
  readonly name: string;
  /** Whether it is an embedding model, which writes no texts. */
  readonly isEmbedder: boolean;
  /** Writes all texts, so that they share passes over the weights. */
  readonly scheduler: Scheduler;
  /** Embeds a request's texts. */
  readonly embed: EmbedTexts;
  /** Counts, times and limits requests. */
  readonly tracker: RequestTracker;
  /** Checks that a request's texts can fit the context. @throws BitNetError CONTEXT_FULL. */
  readonly checkPromptSize: (texts: readonly string[]) => void;
  readonly limits: RequestLimits;
  /** Maximum number of texts, running and waiting. */
  readonly capacity: number;
  /** The model's chat template. @throws BitNetError MODEL_INVALID if it cannot be parsed. */
  readonly template: () => ChatTemplate;
}

export interface ServiceOptions extends Pick<Service, "tracker" | "limits"> {
  readonly parallel: number;
  readonly queueLimit: number;
}

/** @throws BitNetError INVALID_ARGUMENT, DISPOSED. */
export function createService(
  name: string,
  model: LanguageModel,
  { parallel, queueLimit, tracker, limits }: ServiceOptions,
): Service {
  const { tokenizer, embed, engine } = internalsOf(model);
  const promptLimit = createPromptLimit(tokenizer, model.info);
  const capacity = parallel + queueLimit;
  let template: ChatTemplate | undefined;
  return {
    model,
    tokenizer,
    name,
    isEmbedder: engine.description.pooling !== undefined,
    scheduler: model.createScheduler({ parallel, queueLimit }),
    embed: createEmbeddingQueue({ embed, tracker, promptLimit, capacity }),
    tracker,
    checkPromptSize: promptLimit.check,
    limits,
    capacity,
    template: () => (template ??= createChatTemplate(tokenizer)),
  };
}
