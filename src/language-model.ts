import type { Pooling } from "./architectures/index.js";
import { BitNetError, throwIfAborted } from "./errors.js";
import { fileModel, findModel, type OpenableModel } from "./checkpoints/openable-model.js";
import type { ModelFile } from "./files/model-file.js";
import { generate } from "./generation/generate.js";
import type { GeneratedPiece } from "./generation/generated-piece.js";
import { embed } from "./generation/embed.js";
import { type EmbedOptions, resolveEmbedOptions } from "./generation/embed-options.js";
import { type Chat, createChat } from "./generation/chat.js";
import { createPassCosts } from "./generation/speculation/pass-costs.js";
import { promptTokens } from "./generation/prompt.js";
import { resolveGenerateOptions } from "./generation/resolve-options.js";
import type { GenerateOptions, RecommendedSampling } from "./options/generate-options.js";
import { readRecommendedSampling } from "./generation/recommended-sampling.js";
import { createScheduler, type Scheduler, type SchedulerOptions } from "./generation/scheduling/scheduler.js";
import { isRemoteName } from "./hub/model-name.js";
import { kvBytesPerToken } from "./model/context-length.js";
import { type Engine, type EngineChoices, startEngine } from "./engine/engine.js";
import type { InnerSession, Session } from "./engine/session.js";
import { checkWhole } from "./options/checks.js";
import { blobSource, bytesSource } from "./platform/memory-source.js";
import { availableParallelism, freeMemoryBytes } from "./platform/node.js";
import { type ChatTemplate, createChatTemplate } from "./text/chat-template.js";
import { createTokenizer, type EncodeOptions, type Tokenizer } from "./text/tokenizer.js";
import { kernelBuilds } from "./wasm/kernel-build.js";
import { dotForms } from "./wasm/dot-forms.js";
import { largestRegionBytes, pageBytes } from "./wasm/memory.js";

/**
 * Where a model's bytes come from: the path of a GGUF file or of a checkpoint's folder, a `file:` URL, a name on the hub such
 * as "hf:owner/repo/file.gguf", an `https:` URL, or bytes of a GGUF file that are already here.
 */
export type ModelSource = string | URL | Blob | Uint8Array;

/** How far loading has come. */
export interface LoadProgress {
  /**
   * "download" while a model comes from the network, "open" while the header is read, "weights" while tensors stream into
   * memory, "ready" once at the end.
   */
  readonly stage: "download" | "open" | "weights" | "ready";
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

export interface LoadOptions extends EngineChoices {
  /** Worker threads, 1 to 256. Default: the host's available parallelism. More threads than cores only slow things down. */
  readonly threads?: number | undefined;
  /** Positions that a session may hold. Default: the model's own, capped to what memory allows. */
  readonly contextLength?: number | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a loaded model is. */
export interface ModelInfo {
  readonly architecture: string;
  readonly name: string;
  /** Numbers in all tensors. */
  readonly parameters: number;
  readonly layers: number;
  readonly width: number;
  readonly vocabSize: number;
  /** Positions that a session may hold. */
  readonly contextLength: number;
  /** Tensor types in the file, such as ["F16", "F32", "I2_S"]. */
  readonly weightFormats: readonly string[];
  /** Bytes: weights but the head, the head (a tied one is also the embedding), and a KV cache of the whole context. */
  readonly memoryBytes: { readonly weights: number; readonly head: number; readonly kvCache: number };
  readonly threads: number;
  /** Which build of the kernels this host runs, and which form of the ternary product was fastest: "relaxed/i16", or "relaxed/i16/256". */
  readonly kernelBuild: string;
  /** Sampling options that the file recommends (`general.sampling.*`): they are this model's defaults. */
  readonly sampling: RecommendedSampling;
}

/** A model in memory. Dispose of it to end its threads: `await using`, or `dispose()`. */
export interface LanguageModel extends AsyncDisposable {
  readonly info: ModelInfo;
  /**
   * Continues a prompt, piece by piece, as the model writes. Leaving the loop stops the work.
   *
   * @example
   * for await (const piece of model.generate("Once upon a time", { maxTokens: 64, temperature: 0 })) {
   *   process.stdout.write(piece.text);
   * }
   * @throws BitNetError INVALID_ARGUMENT, CONTEXT_FULL, OUT_OF_MEMORY, DISPOSED; rejects with `signal.reason`.
   */
  generate(prompt: string, options?: GenerateOptions): AsyncGenerator<GeneratedPiece, void, void>;
  /** As `generate`, for the whole text at once. A CONTEXT_FULL error carries the text so far in `details.text`. */
  complete(prompt: string, options?: GenerateOptions): Promise<string>;
  /**
   * Embeds texts, many in one pass: vectors of length 1 and the model's width, whose products tell how alike texts are.
   *
   * Embedding models pool as their files say; of others it is the mean of the last hidden states. A text that does not fit the
   * context is refused, not cut.
   *
   * @param texts any number of them.
   * @returns one vector a text, in their order.
   * @example
   * const [query] = await model.embed(["how do plants eat?"], { kind: "query" });
   * const documents = await model.embed(["Photosynthesis turns light into sugar.", "Cats sleep a lot."]);
   * @throws BitNetError INVALID_ARGUMENT, CONTEXT_FULL, OUT_OF_MEMORY, DISPOSED; rejects with `signal.reason`.
   */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array<ArrayBuffer>[]>;
  /**
   * Begins a conversation, in the format that the model was trained with.
   *
   * @example
   * using chat = model.chat({ system: "You are helpful." });
   * for await (const piece of chat.send("Hello!", { maxTokens: 64 })) process.stdout.write(piece.text);
   * @throws BitNetError MODEL_INVALID if the model's chat template cannot be read, DISPOSED.
   */
  chat(options?: { readonly system?: string | undefined }): Chat;
  /** Token ids of a text; BOS and EOS as the model wants them unless `addSpecial` is false. */
  tokenize(text: string, options?: EncodeOptions): number[];
  /** Text of token ids; control tokens are left out. */
  detokenize(ids: readonly number[]): string;
  /** A KV cache of its own to evaluate tokens in; `contextLength` defaults to the model's. */
  createSession(options?: { readonly contextLength?: number | undefined }): Session;
  /**
   * For servers: writes many texts at the same time, for hardly more than the time of one. Dispose of it before the model.
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
  /** Ends the threads and frees the memory. Work under way is rejected with DISPOSED. Idempotent. */
  dispose(): Promise<void>;
}

/** What the library's own tools use besides. Every model that `loadModel` gives is one. */
export interface InnerLanguageModel extends LanguageModel {
  readonly tokenizer: Tokenizer;
  createSession(options?: { readonly contextLength?: number | undefined }): InnerSession;
}

/** The model that comes with the package: a small storyteller. */
export const embeddedModelUrl: URL = new URL("../models/storyteller.gguf", import.meta.url);

/**
 * Opens a model file, reads its weights into memory and starts worker threads.
 *
 * @param source a path, a URL, a name on the hub (docs/guide/models-from-the-hub.md), a Blob or bytes of a GGUF file, or the
 *   path or URL of a checkpoint's folder (config.json, tokenizer.json and safetensors files); left out, the embedded model.
 * @throws BitNetError with any code of BitNetErrorCode but CONTEXT_FULL; rejects with `options.signal.reason`.
 */
export async function loadModel(source?: ModelSource, options: LoadOptions = {}): Promise<LanguageModel> {
  const { signal } = options;
  const threads = options.threads ?? Math.min(availableParallelism(), mostThreads);
  checkWhole("threads", threads, 1, mostThreads);
  if (options.contextLength !== undefined) checkWhole("contextLength", options.contextLength, 1, 1 << 26);
  checkChoices(options);
  throwIfAborted(signal);

  const found = await findSource(await localSource(source ?? embeddedModelUrl, options));
  const progress = { loadedBytes: 0, totalBytes: found.size ?? 0 };
  const report = (stage: LoadProgress["stage"]): void => options.onProgress?.({ stage, ...progress });
  let engine: Engine | undefined;
  try {
    if (found.size !== undefined) report("open");
    const file = await found.open({ signal });
    const tokenizer = createTokenizer(file.metadata);
    const sampling = readRecommendedSampling(file.metadata);
    const tensorBytes = sum([...file.tensors.values()].map((tensor) => tensor.bytes));
    // A checkpoint's tensors count by what they are as they are read, which need not be what the files have.
    progress.totalBytes = found.size ?? tensorBytes;
    progress.loadedBytes = Math.max(0, progress.totalBytes - tensorBytes);
    if (found.size === undefined) report("open");
    engine = await startEngine(file, {
      ...options,
      threads,
      contextLength: options.contextLength,
      freeBytes: freeMemoryBytes(),
      signal,
      onBytes: (count) => {
        progress.loadedBytes = Math.min(progress.totalBytes, progress.loadedBytes + count);
        report("weights");
      },
    });
    if (tokenizer.vocabSize > engine.model.sizes.vocabSize) {
      throw new BitNetError(
        "MODEL_INVALID",
        `Cannot load "${found.name}": its tokenizer has ${tokenizer.vocabSize} tokens and its embedding ${engine.model.sizes.vocabSize} rows`,
      );
    }
    throwIfAborted(signal);
    progress.loadedBytes = progress.totalBytes;
    report("ready");
    if (!engine.readsFile) await found.close();
    return createLanguageModel(engine, tokenizer, describeInfo(file, engine, sampling), found, {
      // A text whose last token stands for it all has to end, and not every file says so.
      endsEmbedded: !file.metadata.has("tokenizer.ggml.add_eos_token"),
    });
  } catch (error) {
    await engine?.dispose();
    await found.close();
    throw error;
  }
}

const mostThreads = 256;

/** Downloads what is named and not local, unless it is in the cache. */
async function localSource(source: ModelSource, { onProgress, signal }: LoadOptions): Promise<ModelSource> {
  if (!(source instanceof URL || typeof source === "string") || !isRemoteName(String(source))) return source;
  // Those who load local files do not pay for loading what downloads.
  const { fetchModel } = await import("./hub/index.js");
  const { path } = await fetchModel(String(source), {
    signal,
    onProgress: (progress) => onProgress?.({ stage: "download", ...progress }),
  });
  return path;
}

/** Finds what `loadModel` is given. @throws BitNetError FILE_NOT_FOUND, INVALID_ARGUMENT */
export async function findSource(source: ModelSource): Promise<OpenableModel> {
  if (source instanceof Uint8Array) return fileModel(bytesSource(source));
  if (source instanceof Blob) return fileModel(blobSource(source));
  if (source instanceof URL || typeof source === "string") {
    const text = String(source);
    if (text === "")
      throw new BitNetError("INVALID_ARGUMENT", "Cannot open a model without a name: the path is empty");
    return findModel(/^file:/i.test(text) && URL.canParse(text) ? new URL(text) : source);
  }
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot open ${String(source)}: expected a path, a URL, a Blob or a Uint8Array`,
  );
}

function createLanguageModel(
  engine: Engine,
  tokenizer: Tokenizer,
  info: ModelInfo,
  found: OpenableModel,
  habits: { readonly endsEmbedded: boolean },
): InnerLanguageModel {
  const passCosts = createPassCosts();
  let disposed = false;
  let template: ChatTemplate | undefined;
  function alive(): void {
    if (disposed) throw new BitNetError("DISPOSED", "The model has been disposed");
  }

  async function* run(prompt: string, options?: GenerateOptions): AsyncGenerator<GeneratedPiece, void, void> {
    alive();
    const resolved = resolveGenerateOptions(options, info.sampling);
    throwIfAborted(resolved.signal);
    const ids = promptTokens(tokenizer, prompt, info.contextLength);
    // The last token of a text is never evaluated, so one place fewer than prompt and text is enough.
    const contextLength = Math.min(info.contextLength, ids.length + resolved.maxTokens - 1);
    using session = engine.openSession(contextLength);
    yield* generate(session, tokenizer, ids, resolved, passCosts);
  }

  /** A text's tokens as it is embedded. @throws BitNetError INVALID_ARGUMENT, CONTEXT_FULL. */
  function embeddedIds(text: unknown, index: number, prefix: string, pooling: Pooling): readonly number[] {
    if (typeof text !== "string") {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        `Cannot embed text ${index}: it is ${typeof text}, expected a string`,
      );
    }
    const ids = tokenizer.encode(prefix + text);
    const { eosId, addsEos } = tokenizer;
    if (pooling === "last" && habits.endsEmbedded && !addsEos && eosId !== undefined) ids.push(eosId);
    if (ids.length === 0) {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        `Cannot embed text ${index}: it is empty, and this model has no token that begins or ends a text`,
        { details: { index } },
      );
    }
    if (ids.length > info.contextLength) {
      throw new BitNetError(
        "CONTEXT_FULL",
        `Text ${index} has ${ids.length} tokens and the context holds ${info.contextLength}: cut it, or load the model with a longer context where it has one`,
        { details: { index, tokens: ids.length, contextLength: info.contextLength } },
      );
    }
    return ids;
  }

  const model: InnerLanguageModel = {
    info,
    tokenizer,
    generate: run,
    async embed(texts, options): Promise<Float32Array<ArrayBuffer>[]> {
      alive();
      const { prefix, pooling, signal } = resolveEmbedOptions(options, engine.description);
      throwIfAborted(signal);
      if (!Array.isArray(texts)) {
        throw new BitNetError(
          "INVALID_ARGUMENT",
          `Cannot embed ${typeof texts}: expected an array of strings`,
        );
      }
      const sequences = Array.from(texts, (text, index) => embeddedIds(text, index, prefix, pooling));
      return embed(engine, sequences, pooling, signal);
    },
    chat({ system } = {}): Chat {
      alive();
      return createChat({
        tokenizer,
        template: (template ??= createChatTemplate(tokenizer)),
        openSession: () => engine.openSession(info.contextLength),
        contextLength: info.contextLength,
        passCosts,
        system,
        sampling: info.sampling,
      });
    },
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
    tokenize(text, options): number[] {
      alive();
      return tokenizer.encode(text, options);
    },
    detokenize(ids): string {
      alive();
      return tokenizer.decode(ids);
    },
    createSession(options = {}): InnerSession {
      alive();
      return engine.openSession(options.contextLength ?? info.contextLength);
    },
    createScheduler(options = {}): Scheduler {
      alive();
      const { parallel = 4, queueLimit = 256, contextLength = info.contextLength } = options;
      checkWhole("parallel", parallel, 1, 256);
      checkWhole("queueLimit", queueLimit, 0, 1 << 20);
      checkWhole("contextLength", contextLength, 1, info.contextLength);
      return createScheduler(engine, tokenizer, {
        parallel,
        queueLimit,
        contextLength,
        sampling: info.sampling,
      });
    },
    async dispose(): Promise<void> {
      disposed = true;
      await engine.dispose();
      await found.close();
    },
    [Symbol.asyncDispose](): Promise<void> {
      return model.dispose();
    },
  };
  engines.set(model, engine);
  return model;
}

const engines = new WeakMap<LanguageModel, Engine>();

/** What runs a model, for the library's own measuring tools: not part of what users hold. */
export function engineOf(model: LanguageModel): Engine {
  const engine = engines.get(model);
  if (engine === undefined) throw new BitNetError("INVALID_ARGUMENT", "This model was not made by loadModel");
  return engine;
}

function describeInfo(file: ModelFile, engine: Engine, sampling: RecommendedSampling): ModelInfo {
  const { model, description } = engine;
  const tensors = [...file.tensors.values()];
  const name = file.metadata.get("general.name");
  return {
    architecture: description.architecture,
    name: typeof name === "string" ? name : "",
    parameters: sum(tensors.map((tensor) => tensor.shape.reduce((product, size) => product * size, 1))),
    layers: model.sizes.layers,
    width: model.sizes.width,
    vocabSize: model.sizes.vocabSize,
    contextLength: model.contextLength,
    weightFormats: [...new Set(tensors.map((tensor) => tensor.type))].sort(),
    memoryBytes: { ...engine.memoryBytes, kvCache: kvBytesPerToken(model.sizes) * model.contextLength },
    threads: engine.threads,
    kernelBuild: `${engine.kernelBuild}/${engine.matmul.form}${engine.matmul.module256 ? "/256" : ""}`,
    sampling,
  };
}

/** What TypeScript's users cannot get wrong; a misspelt choice must not quietly be another one. */
function checkChoices({ kernelBuild, ternaryForm, head, sparsity, regionBytes }: EngineChoices): void {
  for (const [option, value, choices] of [
    ["kernelBuild", kernelBuild, kernelBuilds],
    ["ternaryForm", ternaryForm, dotForms],
    ["head", head, ["auto", "whole", "screened"]],
    ["sparsity", sparsity, ["auto", "on", "off"]],
  ] as const) {
    if (value === undefined || (choices as readonly string[]).includes(value)) continue;
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Invalid ${option}: ${value} (expected ${choices.map((choice) => `"${choice}"`).join(", ")})`,
      { details: { option, value } },
    );
  }
  if (regionBytes === undefined) return;
  checkWhole("regionBytes", regionBytes, 2 * pageBytes, largestRegionBytes);
  if (regionBytes % pageBytes !== 0) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Invalid regionBytes: ${regionBytes} (expected a multiple of ${pageBytes})`,
      { details: { option: "regionBytes", value: regionBytes } },
    );
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
