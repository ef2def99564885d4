import type { FetchProgress } from "../../hub/index.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import type { Inspection } from "../../tools/inspect.js";

/** A model that a server loads when a request needs it. */
export interface LoadableModel {
  /**
   * Loads the model. The server disposes it when it lets it go.
   *
   * @param options.signal fires when the server ends.
   */
  readonly load: (options: { readonly signal: AbortSignal }) => Promise<LanguageModel>;
  /**
   * Describes the model without loading it, as `inspectModel` does. Default: lists describe the model only
   * after it was loaded.
   */
  readonly inspect?: (() => Promise<Inspection>) | undefined;
}

/** A loaded model, which stays loaded, or one that is loaded on demand. */
export type ServedModel = LanguageModel | LoadableModel;

/** Several models of one server. */
export interface ServedModels {
  /** The models by name. A request's `model` chooses one. */
  readonly models: Readonly<Record<string, ServedModel>>;
}

/** Whether a caller gives several models. The value may be anything. */
export function isSeveral(served: LanguageModel | ServedModels): served is ServedModels {
  return isObject(served) && "models" in served;
}

/** Whether a model is loaded on demand. The value may be anything. */
export function isLoadable(model: ServedModel): model is LoadableModel {
  return isObject(model) && "load" in model;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Options of a pull. */
export interface PullOptions {
  /** Fires when the client leaves. */
  readonly signal: AbortSignal;
  /** Called as bytes arrive. */
  readonly onProgress: (progress: FetchProgress) => void;
}

/** Downloads a model of the hub. @param name such as "hf:owner/repo/model.gguf". */
export type PullModel = (name: string, options: PullOptions) => Promise<LoadableModel>;
