import type { Engine } from "../engine/engine.js";
import type { ModelFile } from "../files/model-file.js";
import type { RecommendedSampling } from "../options/generate-options.js";
import { tokenBytes } from "../model/bytes-per-token.js";
import type { CacheType } from "../wasm/cache-types.js";
import { kvBytesPerToken } from "../model/cache-format.js";
import { matricesOf } from "../model/model.js";
import type { StreamInfo } from "../model/stream-speed.js";
import { bytesByLayout } from "../packing/layouts/index.js";
import type { PackingGoal } from "../packing/packing.js";

/** Facts about a loaded model. */
export interface ModelInfo {
  /** The architecture's name in the file, such as "bitnet-b1.58". */
  readonly architecture: string;
  /** `general.name` of the file. Empty if the file has none. */
  readonly name: string;
  /** Number of elements in all tensors. */
  readonly parameters: number;
  /** Number of transformer layers. */
  readonly layers: number;
  /** Length of a hidden state and of an embedding (Hugging Face's hidden_size). */
  readonly width: number;
  /** Number of rows of the output head. Every logits row has this length. */
  readonly vocabSize: number;
  /** Maximum number of positions of a session. */
  readonly contextLength: number;
  /** Tensor types in the file, sorted, such as ["F16", "F32", "I2_S"]. */
  readonly weightFormats: readonly string[];
  /**
   * Bytes of wasm memory. `weights`: everything except the head. `head`: the output head, which is also the
   * embedding if they are tied. `kvCache`: one KV cache of the whole context.
   */
  readonly memoryBytes: { readonly weights: number; readonly head: number; readonly kvCache: number };
  /** How ternary weights are kept: two bits each, or 1.6 bits each where rows are long enough. */
  readonly packing: PackingGoal;
  /** How sessions keep keys and values: as halves, or as bytes with scales. */
  readonly cacheType: CacheType;
  /** Bytes of matrices by their layout in memory, such as { "base3-rows": …, "int8-rows": … }. */
  readonly layouts: Readonly<Record<string, number>>;
  /** Bytes of weights that are read to generate one token, without the KV cache. They limit the speed. */
  readonly bytesPerToken: number;
  /** Layers that every pass reads from disk, and an estimate of the speed. Undefined if none are. */
  readonly stream: StreamInfo | undefined;
  /** Number of worker threads. 0: the model runs in the calling thread. */
  readonly threads: number;
  /**
   * The kernel build and the dot form in use, such as "relaxed/i16". "/256" follows if 256-bit kernels run.
   * The form can change while the model runs, if another one is faster. The results are the same bits.
   */
  readonly kernelBuild: string;
  /**
   * Times of the dot forms that are correct here, relative to the fastest one, such as { i16: 1, i8: 1.3 }.
   * They are of a self-test at load. Later they are of passes that generated a token.
   */
  readonly dotForms: Readonly<Record<string, number>>;
  /**
   * The same for passes of prompts, where `lookup` is the matmul by lookup tables. Before passes were timed,
   * the one in use alone.
   */
  readonly promptForms: Readonly<Record<string, number>>;
  /**
   * Each thread's part of the work of a token. Their sum is 1. At first the parts are equal, then they follow
   * the measured speed of each thread: cores can differ, and other programs may use some. The results are the
   * same bits.
   */
  readonly threadShares: readonly number[];
  /** Sampling options that the file recommends (`general.sampling.*`). They are this model's defaults. */
  readonly sampling: RecommendedSampling;
}

export function describeInfo(file: ModelFile, engine: Engine, sampling: RecommendedSampling): ModelInfo {
  const { model, description } = engine;
  const tensors = [...file.tensors.values()];
  const name = file.metadata.get("general.name");
  const { layers, head } = tokenBytes(model);
  return {
    architecture: description.architecture,
    name: typeof name === "string" ? name : "",
    parameters: tensors.reduce((sum, { shape }) => sum + shape.reduce((all, size) => all * size, 1), 0),
    layers: model.sizes.layers,
    width: model.sizes.width,
    vocabSize: model.sizes.vocabSize,
    contextLength: model.contextLength,
    weightFormats: [...new Set(tensors.map((tensor) => tensor.type))].sort(),
    memoryBytes: {
      ...engine.memoryBytes,
      kvCache: kvBytesPerToken(model.cacheType, model.sizes) * model.contextLength,
    },
    packing: engine.packing,
    cacheType: model.cacheType,
    layouts: bytesByLayout(matricesOf(model)),
    bytesPerToken: layers + head,
    stream: engine.stream,
    threads: engine.threads,
    get kernelBuild() {
      return `${engine.kernelBuild}/${engine.forms.form}${engine.matmul.module256 ? "/256" : ""}`;
    },
    get dotForms() {
      return engine.forms.times;
    },
    get promptForms() {
      return engine.forms.promptTimes;
    },
    get threadShares() {
      return engine.shares.shares;
    },
    sampling,
  };
}
