import type { Scheduler } from "../generation/scheduling/scheduler.js";
import type { InnerLanguageModel } from "../language-model.js";
import type { ChatTemplate } from "../text/chat-template.js";
import type { Watch } from "./watch.js";

/** What every route works with. */
export interface Service {
  readonly model: InnerLanguageModel;
  /** What clients call the model. */
  readonly name: string;
  readonly startedAt: Date;
  /** All texts are written by this one, so that they share passes over the weights. */
  readonly scheduler: Scheduler;
  /** Counts, times and limits requests. */
  readonly watch: Watch;
  /** Refuses a request's texts if they cannot fit the context. @throws BitNetError CONTEXT_FULL. */
  readonly checkTexts: (texts: readonly string[]) => void;
  /** Requests that can be there at the same time, being written or waiting. */
  readonly places: number;
  /** @throws BitNetError MODEL_INVALID if the model's chat template cannot be read. */
  readonly template: () => ChatTemplate;
}
