/// <reference lib="esnext.disposable" preserve="true" />
// Disposable and AsyncDisposable stand in our types; users may have no other library that brings them.
export { BitNetError, type BitNetErrorCode, type ErrorDetails } from "./errors.js";
export type { Chat, SendOptions, TemplateOptions } from "./generation/chat.js";
export type { EmbedOptions } from "./generation/embed-options.js";
export type { FinishReason, GeneratedPiece, TokenLogprob, Usage } from "./generation/generated-piece.js";
export type {
  GenerateOptions,
  RecommendedSampling,
  SchemaWarning,
  Speculation,
  SpeculationCounts,
} from "./options/generate-options.js";
export type { Scheduler, SchedulerOptions, SchedulerStats } from "./generation/scheduling/scheduler.js";
export type { Pooling } from "./architectures/index.js";
export type { EngineOptions } from "./engine/engine-options.js";
export type { LayerZeros, Profile } from "./graph/profile.js";
export type { PackingChoice } from "./model/choose-packing.js";
export type { CacheType } from "./wasm/cache-types.js";
export type { Sparsity } from "./model/model.js";
export type { PackingGoal } from "./packing/packing.js";
export type { FetchedModel, FetchOptions, FetchProgress } from "./hub/index.js";
export { fetchModel } from "./language-model/fetch-model.js";
export { embeddedModelUrl, type ModelSource } from "./language-model/find-source.js";
export type { ChatOptions, LanguageModel, SessionOptions } from "./language-model/language-model.js";
export { loadModel } from "./language-model/load-model.js";
export type { LoadOptions, LoadProgress } from "./language-model/load-options.js";
export type { ModelInfo } from "./language-model/model-info.js";
export type { StreamInfo } from "./model/stream-speed.js";
export {
  type AbridgedValue,
  type EstimatedMemory,
  inspectModel,
  type InspectOptions,
  type Inspection,
  type JsonValue,
} from "./tools/inspect.js";
export { createWorkerModel } from "./worker-model/create-worker-model.js";
export type { WorkerChat, WorkerModel } from "./worker-model/worker-model.js";
export type { EncodeOptions } from "./text/tokenizer.js";
export type { KernelBuild } from "./wasm/kernel-build.js";
export type { DotForm } from "./wasm/dot-forms.js";
export type { EvaluateOptions, Session } from "./engine/session.js";
export { createServer, type Server, type ServerOptions } from "./server/create-server.js";
export type {
  LoadableModel,
  PullModel,
  PullOptions,
  ServedModel,
  ServedModels,
} from "./server/models/served-model.js";
export type { RequestLimits } from "./server/requests/limits.js";
export type { RequestRecord } from "./server/request-log.js";
export {
  convert,
  type Conversion,
  type ConvertOptions,
  type ConvertProgress,
} from "./tools/convert/convert.js";
export type { ChatMessage } from "./text/chat-template.js";
export type { TemplateVariables } from "./text/template-variables.js";
export { evaluateTask, type EvaluateTaskOptions, type TaskResult } from "./tools/evaluation/evaluate-task.js";
export type { QuestionOutcome } from "./tools/evaluation/ask-question.js";
export type {
  ChoiceMetricName,
  MetricName,
  MetricResult,
  WrittenMetricName,
} from "./tools/evaluation/metrics.js";
export type {
  Choice,
  ChoiceQuestion,
  EvaluationTask,
  Question,
  QuestionBase,
  WrittenQuestion,
} from "./tools/evaluation/question.js";
export { readTask, type ReadTaskOptions } from "./tools/evaluation/read-task.js";
export { perplexity, type PerplexityOptions, type PerplexityResult } from "./tools/evaluation/perplexity.js";
