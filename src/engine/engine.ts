import { describeModel, type ModelDescription } from "../architectures/index.js";
import { BitNetError, throwIfAborted } from "../errors.js";
import { invalidOption, isWhole, wholeRange } from "../options/checks.js";
import { inputFormatsOf } from "../packing/layouts/index.js";
import { firstNotFinite } from "../packing/finite.js";
import { selfTestsOf } from "../packing/pack.js";
import { ropeTableBytes } from "../packing/rope-table.js";
import type { Packing, PackingGoal } from "../packing/packing.js";
import type { ModelFile } from "../files/model-file.js";
import { chooseMatmul, type MatmulChoice } from "../wasm/choose-matmul.js";
import { compileKernels, type KernelBuild } from "../wasm/kernel-build.js";
import { createMemories, type Memories } from "../wasm/memory.js";
import { barrierBytes, startTeam, type Team } from "../wasm/team.js";
import type { CacheCopy } from "../graph/copy-kv-cache.js";
import { allocateCache, type CachePlan, freeCache } from "../graph/kv-cache.js";
import { choosePacking, type PackingChoice } from "../model/choose-packing.js";
import type { CacheType } from "../wasm/cache-types.js";
import { chooseContextLength, roomForWeights } from "../model/context-length.js";
import type { LayerRing } from "../model/layer-ring.js";
import type { StreamInfo } from "../model/stream-speed.js";
import type { EngineOptions } from "./engine-options.js";
import { createEvaluator, type Evaluator } from "./evaluator.js";
import { createLayerStream } from "./layer-stream.js";
import { loadModelWeights } from "../model/load-model.js";
import { serveTeam } from "../graph/worker.js";
import type { WorkerJob, WorkerMessage } from "../graph/worker-messages.js";
import { matricesOf, type Model } from "../model/model.js";
import { createOutputHead } from "./output-head.js";
import type { Profile } from "../graph/profile.js";
import type { FormChoice } from "./form-choice.js";
import { createPasses } from "./passes.js";
import type { ShareChoice, Shares } from "./share-choice.js";
import { createSession, type InnerSession } from "./session.js";
import { wantsScreen } from "../model/weight-plan.js";
import { tokenBytes } from "../model/bytes-per-token.js";
import { allocateWork, batchTokens, freeWork } from "../graph/work-plan.js";

/** Tokens of a pass that reads layers from disk. More tokens share each read. */
const streamedBatchTokens = 256;

/** A model in memory and the threads that run it. */
export interface Engine {
  /** The model as the threads have it now: its head changes once when a screened head is read whole. */
  readonly model: Model;
  readonly description: ModelDescription;
  /** Whether the model reads rows of the file while it runs. The file must then stay open until `dispose`. */
  readonly readsFile: boolean;
  readonly threads: number;
  readonly kernelBuild: KernelBuild;
  readonly matmul: MatmulChoice;
  /** The dot form in use. It can change. */
  readonly forms: Pick<FormChoice, "form" | "times" | "promptTimes">;
  /** Each worker's part of a pass that generates a token. It can change. */
  readonly shares: Pick<ShareChoice, "shares">;
  /** The goal that the layouts of weights were chosen by. */
  readonly packing: PackingGoal;
  /** Undefined if all layers are in memory. */
  readonly stream: StreamInfo | undefined;
  /** Maximum tokens of a pass unless the caller asks for another number. */
  readonly batchTokens: number;
  /** Bytes in wasm memory after loading: of the head, and of all other weights. */
  readonly memoryBytes: { readonly weights: number; readonly head: number };
  /** Resolves to WORKER_FAILED when a worker thread has died; stays pending otherwise. */
  readonly failure: Promise<BitNetError>;
  /**
   * Reads the weights of a generated token `times` times and uses none of them, to measure memory bandwidth.
   */
  readWeights(times: number): Promise<void>;
  /**
   * @param contextLength positions, 1 to the model's `contextLength`.
   * @throws BitNetError INVALID_ARGUMENT, OUT_OF_MEMORY, DISPOSED.
   */
  openSession(contextLength: number): InnerSession;
  /** Allocates buffers for passes over several sequences. @throws as openSession. */
  openEvaluator(options: EvaluatorOptions): Evaluator;
  /** Allocates a sequence's KV cache, for passes of an evaluator. @throws as openSession. */
  openCache(contextLength: number): Cache;
  /**
   * Copies positions from one cache to another. No pass over them may be under way.
   * @throws BitNetError WORKER_FAILED, DISPOSED.
   */
  copyCache(copy: CacheCopy): Promise<void>;
  /** Ends the threads and releases the memory. Idempotent. */
  dispose(): Promise<void>;
}

/** Options of starting an engine. */
export interface EngineStart extends EngineOptions {
  /** 0 runs the one worker in the caller's thread. */
  readonly threads: number;
  /** The script of a worker thread. Default: the package's own. */
  readonly workerUrl?: URL | string | undefined;
  /** Undefined for the model's own, limited by memory. */
  readonly contextLength: number | undefined;
  /** Default: "auto". */
  readonly packing?: PackingChoice | undefined;
  /** How sessions keep keys and values. Default: "f16". */
  readonly cacheType?: CacheType | undefined;
  /** Read layers from disk in every pass if they do not fit memory. Default: false. */
  readonly stream?: boolean | undefined;
  /** Maximum bytes of matrices in memory with `stream`. Default: what the context leaves of `freeBytes`. */
  readonly streamMemory?: number | undefined;
  /** Bytes that the host can give. */
  readonly freeBytes: number;
  /** Called before most of the weights are read, if layers will be streamed. */
  readonly onStream?: ((info: StreamInfo) => void) | undefined;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal | undefined;
}

export interface EvaluatorOptions {
  /** Maximum positions of a sequence. */
  readonly contextLength: number;
  /** Maximum tokens of a pass. Default: as for a session. */
  readonly tokens?: number | undefined;
  /** Maximum tokens of a pass whose logits it gives. Default: as for a session. */
  readonly logitRows?: number | undefined;
}

/** A KV cache in memory. */
export interface Cache extends Disposable {
  readonly plan: CachePlan;
  /** Frees it. No pass over it may be under way. Idempotent. */
  dispose(): void;
}

/**
 * Loads a file's weights and starts the threads. The caller closes the file: at once, or after `dispose` if
 * `readsFile`.
 *
 * @throws BitNetError as describeModel and loadModelWeights; UNSUPPORTED_RUNTIME, SELF_TEST_FAILED,
 *   WORKER_FAILED; and `signal.reason`.
 */
export async function startEngine(file: ModelFile, options: EngineStart): Promise<Engine> {
  const description = describeModel(file);
  const { head = "auto", sparsity = "auto", packing = "auto", cacheType = "f16" } = options;
  const contextWishes = { ...options, cacheType };
  const streamBytes =
    options.stream === true
      ? (options.streamMemory ?? roomForWeights(description.sizes, contextWishes))
      : undefined;
  const workers = Math.max(1, options.threads);
  if (options.shares !== undefined && options.shares.length !== workers)
    throw invalidOption("shares", options.shares, `${workers} numbers, one for each thread`);
  const goal = choosePacking(file, description, packing, { ...contextWishes, head, sparsity, streamBytes });
  const kernels = await compileKernels(options.kernelBuild);
  throwIfAborted(options.signal);
  const memories = createMemories(options.regionBytes);
  const home = memories.addRegion();
  // Allocated first: the barrier needs zeros, and new memory is all zeros.
  const barrierAddress = memories.allocate(home.index, barrierBytes, "the team's barrier");
  const busyAddress = memories.allocate(home.index, workers * 8, "times of workers");
  const matmul = chooseMatmul(kernels, memories, {
    form: options.dotForm,
    kernels256: options.kernels256,
    lookup: options.lookup,
    screened: wantsScreen(file, head, description),
    cacheType,
    selfTests: selfTestsOf(file.tensors.values(), streamBytes === undefined ? [goal] : ["fast", "small"]),
  });
  // Threads take as long to start as a small model takes to load: do both at once.
  const team = startTeam({
    serve: serveTeam,
    threads: options.threads,
    script: options.workerUrl,
    module: kernels.module,
    matmul,
    memories,
    barrierAddress,
    busyAddress,
    onProfile: options.onProfile && ((profile) => options.onProfile?.(profile as Profile)),
  });
  const post = (message: WorkerMessage): void => team.post(message);
  // At once, so that workers know every memory before the first job that may use it.
  memories.watchRegions(({ index, memory }) => post({ kind: "region", index, memory }));
  const run = (job: WorkerJob, options?: { readonly alone?: boolean }): Promise<void> =>
    team.run(job, options);
  let stream: StreamInfo | undefined;
  try {
    const { model, ...loaded } = await loadModelWeights({
      file,
      description,
      memories,
      goal,
      kernels,
      chooseContextLength: (sizes, weightBytes) =>
        chooseContextLength(file.source.name, sizes, weightBytes, contextWishes),
      head,
      sparsity: matmul.columns ? sparsity : "off",
      contextWanted: options.contextLength,
      cacheType,
      workers: team.workers,
      sharePacking: (work) => run({ kind: "packHalves", work }),
      regionBytes: options.regionBytes,
      streamBytes,
      onStream: (info) => {
        stream = info;
        options.onStream?.(info);
      },
      onBytes: options.onBytes,
      signal: options.signal,
    });
    throwIfAborted(options.signal);
    post({ kind: "model", model });
    await run({ kind: "meet" });
    const { build: kernelBuild } = kernels;
    return createEngine({
      model,
      description,
      ...loaded,
      stream,
      memories,
      team,
      post,
      run,
      kernelBuild,
      matmul,
      sharing: { busyAddress, fixed: options.shares },
    });
  } catch (error) {
    await team.stop();
    throw error;
  }
}

interface EngineParts {
  readonly model: Model;
  readonly description: ModelDescription;
  readonly packing: Packing;
  readonly preparePositions: (positions: number) => void;
  readonly ring: LayerRing | undefined;
  readonly stream: StreamInfo | undefined;
  readonly memories: Memories;
  readonly team: Team;
  readonly post: (message: WorkerMessage) => void;
  readonly run: (job: WorkerJob, options?: { readonly alone?: boolean }) => Promise<void>;
  readonly kernelBuild: KernelBuild;
  readonly matmul: MatmulChoice;
  readonly sharing: { readonly busyAddress: number; readonly fixed: Shares | undefined };
}

function createEngine(parts: EngineParts): Engine {
  const { memories, team, post, run, description, ring } = parts;
  let { model } = parts;
  const rereading = { ...parts.packing, onBytes: () => undefined, signal: undefined };
  const layerStream =
    ring &&
    createLayerStream({
      ring,
      layers: model.layers.length,
      refill: (streamed, signal) => ring.refill({ ...rereading, signal }, streamed),
      run,
    });
  const defaultTokens = layerStream === undefined ? batchTokens : streamedBatchTokens;
  const outputHead = createOutputHead({
    model: () => model,
    replace: (changed) => {
      model = changed;
      post({ kind: "model", model });
    },
    description,
    memories,
    packing: rereading,
  });
  const { layers, head } = tokenBytes(model);
  const passes = createPasses({
    run,
    memories,
    ...parts.matmul,
    ...parts.sharing,
    workers: team.workers,
    bytesPerToken: layers + head,
  });
  let lastId = 0;
  let disposing: Promise<void> | undefined;

  function alive(): void {
    if (disposing !== undefined) throw new BitNetError("DISPOSED", "The model has been disposed");
  }

  function check(contextLength: number): void {
    alive();
    const range = [1, model.contextLength] as const;
    if (isWhole(contextLength, ...range)) return;
    const expected = `${wholeRange(...range)}, the context length of the loaded model`;
    throw invalidOption("contextLength", contextLength, expected);
  }

  /** Frees a plan's memory once, and lets the workers forget the plan. */
  function releaseOnce(what: "work" | "cache", id: number, free: () => void): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      post({ kind: "forget", what, id });
      if (disposing === undefined) free();
    };
  }

  function openEvaluator(options: EvaluatorOptions): Evaluator {
    check(options.contextLength);
    const id = (lastId += 1);
    const inputFormats = inputFormatsOf(matricesOf(model));
    const tokens = options.tokens ?? Math.min(defaultTokens, options.contextLength);
    const plan = allocateWork(memories, model, {
      ...options,
      tokens,
      id,
      workers: team.workers,
      inputFormats,
      lookups: parts.matmul.lookup ? matricesOf(model) : [],
    });
    post({ kind: "work", plan });
    return createEvaluator({
      plan,
      memories,
      outputHead,
      firstNotFinite: (location, count) => firstNotFinite(parts.packing, location, count),
      run(batch, signal): Promise<void> {
        const ends = batch.segments.map(({ position, tokens }) => position + tokens);
        if (disposing === undefined) parts.preparePositions(Math.max(...ends));
        const job = { kind: "forward", work: id, batch } as const;
        if (layerStream !== undefined) return layerStream.run(job, signal);
        const tokens = batch.segments.reduce((sum, segment) => sum + segment.tokens, 0);
        return passes.run(tokens, job);
      },
      alive,
      release: releaseOnce("work", id, () => freeWork(memories, plan)),
    });
  }

  function openCache(contextLength: number): Cache {
    check(contextLength);
    const id = (lastId += 1);
    const plan = allocateCache(memories, model, { id, contextLength });
    post({ kind: "cache", plan });
    const dispose = releaseOnce("cache", id, () => freeCache(memories, plan));
    return { plan, dispose, [Symbol.dispose]: dispose };
  }

  return {
    get model() {
      return model;
    },
    description,
    readsFile: model.screen !== undefined || ring !== undefined,
    threads: team.threads,
    failure: team.failure,
    kernelBuild: parts.kernelBuild,
    matmul: parts.matmul,
    forms: passes.forms,
    shares: passes.shares,
    packing: parts.packing.goal,
    stream: parts.stream,
    batchTokens: defaultTokens,
    memoryBytes: weightAndHeadBytes(memories, model),
    openEvaluator,
    openCache,
    readWeights: (times) => run({ kind: "readWeights", times }),
    copyCache: (copy) => run({ kind: "copyCache", copy }),
    openSession(contextLength): InnerSession {
      const evaluator = openEvaluator({ contextLength });
      let cache: Cache;
      try {
        cache = openCache(contextLength);
      } catch (error) {
        evaluator.dispose();
        throw error;
      }
      return createSession({
        cache: cache.plan,
        vocabSize: model.sizes.vocabSize,
        evaluator,
        release: () => {
          evaluator.dispose();
          cache.dispose();
        },
      });
    },
    dispose(): Promise<void> {
      // Users may keep references to disposed models and sessions. These must not hold gigabytes of memory.
      disposing ??= Promise.all([team.stop(), layerStream?.stop()]).then(() => memories.dispose());
      return disposing;
    },
  };
}

/** Bytes of the output head, and of all other weights. Reserved rotary tables do not count. */
function weightAndHeadBytes(
  memories: Memories,
  model: Model,
): { readonly weights: number; readonly head: number } {
  const used = memories.regions.reduce((sum, region) => sum + region.usedBytes, 0);
  const { head } = tokenBytes(model);
  const tables = model.ropes.reduce(
    (sum, rope, index) =>
      sum + ropeTableBytes(rope, model.contextLength) * (model.ropeTables[index]?.length ?? 0),
    0,
  );
  return { weights: used - head - tables, head };
}
