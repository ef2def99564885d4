import { type Engine, startEngine } from "../engine/engine.js";
import { BitNetError, throwIfAborted } from "../errors.js";
import { requireModel } from "../files/require-model.js";
import { readRecommendedSampling } from "../generation/recommended-sampling.js";
import { availableParallelism, canShareMemory, freeMemoryBytes } from "#platform";
import { createChatTemplate } from "../text/chat-template.js";
import { createTokenizer, type Tokenizer } from "../text/tokenizer.js";
import { createLanguageModel } from "./create-language-model.js";
import { embeddedModelUrl, findSource, localSource, type ModelSource } from "./find-source.js";
import type { LanguageModel } from "./language-model.js";
import { checkLoadOptions, type LoadOptions, type LoadProgress, maxThreads } from "./load-options.js";
import { describeInfo } from "./model-info.js";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Opens a model, reads its weights into memory and starts worker threads.
 *
 * @param source Default: the embedded model.
 * @example
 * await using model = await loadModel("model.gguf", { threads: 2 });
 * console.log(await model.complete("Once upon a time", { maxTokens: 64 }));
 * @throws BitNetError any code except CONTEXT_FULL, QUEUE_FULL and DISPOSED. Rejects with
 *   `options.signal.reason`.
 */
export async function loadModel(source?: ModelSource, options: LoadOptions = {}): Promise<LanguageModel> {
  checkLoadOptions(options);
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const local = await localSource(source ?? embeddedModelUrl, {
    signal,
    onProgress: onProgress && ((progress) => onProgress({ stage: "download", ...progress })),
  });
  const found = await findSource(local);
  const progress: Writable<Omit<LoadProgress, "stage">> = { loadedBytes: 0, totalBytes: found.size ?? 0 };
  const report = (stage: LoadProgress["stage"]): void => onProgress?.({ stage, ...progress });
  let engine: Engine | undefined;
  try {
    if (found.size !== undefined) report("open");
    const file = await found.open({ signal });
    requireModel(file);
    const tokenizer = withTemplate(createTokenizer(file.metadata), options.chatTemplate);
    const sampling = readRecommendedSampling(file.metadata);
    const tensorBytes = [...file.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    // The tensors of a checkpoint are converted as they are read, so the sizes of its files say nothing.
    progress.totalBytes = found.size ?? tensorBytes;
    progress.loadedBytes = Math.max(0, progress.totalBytes - tensorBytes);
    if (found.size === undefined) report("open");
    engine = await startEngine(file, {
      ...options.engine,
      threads: canShareMemory() ? (options.threads ?? Math.min(availableParallelism(), maxThreads)) : 0,
      workerUrl: options.workerUrl,
      contextLength: options.contextLength,
      packing: options.packing,
      cacheType: options.cacheType,
      freeBytes: freeMemoryBytes(),
      stream: options.stream,
      streamMemory: options.streamMemory,
      onStream: (info) => {
        progress.stream = info;
        report("weights");
      },
      signal,
      onBytes: (count) => {
        progress.loadedBytes = Math.min(progress.totalBytes, progress.loadedBytes + count);
        report("weights");
      },
    });
    const { vocabSize } = engine.model.sizes;
    if (tokenizer.vocabSize > vocabSize) {
      throw new BitNetError(
        "MODEL_INVALID",
        `Cannot load "${found.name}": its tokenizer has ${tokenizer.vocabSize} tokens and its embedding ${vocabSize} rows`,
      );
    }
    throwIfAborted(signal);
    progress.loadedBytes = progress.totalBytes;
    report("ready");
    if (!engine.readsFile) await found.close();
    return createLanguageModel({
      engine,
      tokenizer,
      info: describeInfo(file, engine, sampling),
      source: found,
      // "last" pooling needs EOS, and not every file says whether the tokenizer adds it.
      appendsEos: !file.metadata.has("tokenizer.ggml.add_eos_token"),
    });
  } catch (error) {
    await engine?.dispose();
    await found.close();
    throw error;
  }
}

/** A tokenizer with another chat template. @throws BitNetError INVALID_ARGUMENT if it cannot be parsed. */
function withTemplate(tokenizer: Tokenizer, chatTemplate: string | undefined): Tokenizer {
  if (chatTemplate === undefined) return tokenizer;
  const changed = { ...tokenizer, chatTemplate };
  try {
    createChatTemplate(changed);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BitNetError("INVALID_ARGUMENT", `Cannot use the option chatTemplate: ${why}`, { cause });
  }
  return changed;
}
