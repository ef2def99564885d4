import { checkEngineOptions, type EngineOptions } from "../engine/engine-options.js";
import { type CacheType, cacheTypes } from "../wasm/cache-types.js";
import { type PackingChoice, packingChoices } from "../model/choose-packing.js";
import type { StreamInfo } from "../model/stream-speed.js";
import { checkWhole, invalidOption } from "../options/checks.js";
import { refuseUnknownOptions } from "../options/known-options.js";

/** Progress of loading. */
export interface LoadProgress {
  /**
   * "download": bytes arrive from the network. "open": the header is read. "weights": tensors are read into
   * memory. "ready": reported once, at the end.
   */
  readonly stage: "download" | "open" | "weights" | "ready";
  /** Bytes so far. Starts again at "open" after a download. */
  readonly loadedBytes: number;
  /** Bytes of the file, or of all files. */
  readonly totalBytes: number;
  /** Present from the stage "weights" on, if layers will be read from disk in every pass (`stream`). */
  readonly stream?: StreamInfo | undefined;
}

/** Options of `loadModel`. */
export interface LoadOptions {
  /**
   * Number of worker threads, 0 to 256. More threads than cores are slower. With 0 the model runs in the
   * calling thread and blocks its event loop during each pass. A page that is not cross-origin isolated has
   * no threads that share memory, so every number means 0 there. Default: the host's available parallelism.
   */
  readonly threads?: number | undefined;
  /**
   * Address of the worker threads' script, for bundles: a copy of "bitnet-wasm/worker". Default: the
   * package's own file.
   */
  readonly workerUrl?: URL | string | undefined;
  /**
   * Maximum number of positions of a session, from 1. Default: the model's own, capped to the free memory.
   */
  readonly contextLength?: number | undefined;
  /**
   * How ternary weights are kept in memory. "fast": two bits each. "small": 1.6 bits each, in base 3, where
   * rows are long enough; the tokens are the same. Default: "auto", which is "fast" if that fits the free
   * memory, else "small".
   */
  readonly packing?: PackingChoice | undefined;
  /**
   * How sessions keep keys and values. "f16": IEEE halves. "int8": bytes, in half of the memory. Then long
   * texts run faster, and attention is rounded: tokens can differ from those with "f16", but are the same on
   * every host (docs/NUMERICS.md). Default: "f16".
   */
  readonly cacheType?: CacheType | undefined;
  /**
   * The text of a chat template (Jinja) that replaces the model's own, such as one that knows tools. Default:
   * the model's.
   */
  readonly chatTemplate?: string | undefined;
  /**
   * Whether a model larger than memory may run: as many layers as fit stay in memory, and every pass reads
   * the others from disk. The tokens are the same. Loading measures the disk and reports an estimate of the
   * speed. Needs a GGUF file. Default: false, which refuses such a model.
   */
  readonly stream?: boolean | undefined;
  /**
   * With `stream`, the maximum bytes of matrices in memory. Default: 0.9 of the free memory, less the KV
   * cache of 4096 tokens or of `contextLength`.
   */
  readonly streamMemory?: number | undefined;
  /** Called as loading proceeds. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Stops loading. */
  readonly signal?: AbortSignal | undefined;
  /** Unstable knobs for tests, benchmarks and experiments. */
  readonly engine?: EngineOptions | undefined;
}

const knownOptions: Record<keyof LoadOptions, true> = {
  threads: true,
  workerUrl: true,
  contextLength: true,
  packing: true,
  cacheType: true,
  chatTemplate: true,
  stream: true,
  streamMemory: true,
  onProgress: true,
  signal: true,
  engine: true,
};

export const maxThreads = 256;
/** Longer than any model's context; a longer one would overflow sizes before the model can refuse it. */
const maxContextLength = 1 << 26;

/** @throws BitNetError INVALID_ARGUMENT. */
export function checkLoadOptions(options: LoadOptions): void {
  refuseUnknownOptions("loadModel", options, Object.keys(knownOptions));
  const { threads, contextLength, packing, cacheType, chatTemplate, stream, streamMemory } = options;
  if (threads !== undefined) checkWhole("threads", threads, 0, maxThreads);
  if (contextLength !== undefined) checkWhole("contextLength", contextLength, 1, maxContextLength);
  checkPacking(packing);
  checkCacheType(cacheType);
  if (chatTemplate !== undefined && typeof (chatTemplate as unknown) !== "string") {
    throw invalidOption("chatTemplate", chatTemplate, "the text of a template");
  }
  if (stream !== undefined && typeof stream !== "boolean")
    throw invalidOption("stream", stream, "true or false");
  if (streamMemory !== undefined) {
    checkWhole("streamMemory", streamMemory, 0);
    if (stream !== true) throw invalidOption("streamMemory", streamMemory, "no value unless stream is true");
  }
  checkEngineOptions(options.engine);
}

/** @throws BitNetError INVALID_ARGUMENT. */
export function checkPacking(packing: PackingChoice | undefined): void {
  if (packing === undefined || packingChoices.includes(packing)) return;
  throw invalidOption("packing", packing, packingChoices.map((choice) => `"${choice}"`).join(", "));
}

/** @throws BitNetError INVALID_ARGUMENT. */
export function checkCacheType(cacheType: CacheType | undefined): void {
  if (cacheType === undefined || cacheTypes.includes(cacheType)) return;
  throw invalidOption("cacheType", cacheType, cacheTypes.map((type) => `"${type}"`).join(", "));
}
