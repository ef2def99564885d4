import type { Scheduler } from "../generation/scheduling/scheduler.js";
import type { LanguageModel } from "../language-model/language-model.js";
import type { ChatTemplate } from "../text/chat-template.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { Door } from "./door.js";
import type { EmbedTexts } from "./embedding-queue.js";
import type { RequestTracker } from "./request-tracker.js";
import type { RequestLimits } from "./requests/limits.js";

/** The means of every route. */
export interface Service {
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  /** The model's name for clients. */
  readonly name: string;
  readonly startedAt: Date;
  /** Writes all texts, so that they share passes over the weights. */
  readonly scheduler: Scheduler;
  /** Keeps requests for texts out of a full queue. */
  readonly door: Door;
  /** Embeds a request's texts. */
  readonly embed: EmbedTexts;
  /** Counts, times and limits requests. */
  readonly tracker: RequestTracker;
  /** Checks that a request's texts can fit the context. @throws BitNetError CONTEXT_FULL. */
  readonly checkPromptSize: (texts: readonly string[]) => void;
  readonly limits: RequestLimits;
  /** Maximum number of running texts. */
  readonly parallel: number;
  /** Maximum number of texts, running and waiting. */
  readonly capacity: number;
  /** The model's chat template. @throws BitNetError MODEL_INVALID if it cannot be parsed. */
  readonly template: () => ChatTemplate;
}
