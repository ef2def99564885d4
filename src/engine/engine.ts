import type { ModelDescription } from "../architectures/index.js";
import { BitNetError, throwIfAborted } from "../errors.js";
import type { Packing } from "../packing/pack.js";
import { groupSizesOf } from "../packing/ternary-groups.js";
import type { ModelFile } from "../files/model-file.js";
import { chooseProduct, type ProductChoice } from "../wasm/choose-matmul.js";
import { compileKernels, type KernelBuild } from "../wasm/kernel-build.js";
import type { TernaryForm } from "../wasm/kernels.js";
import { createMemories, type Memories } from "../wasm/memory.js";
import { barrierBytes, startTeam, type Team } from "../wasm/team.js";
import type { CacheCopy } from "../graph/copy-kv-cache.js";
import { allocateCache, type CachePlan, freeCache } from "../graph/kv-cache.js";
import { chooseContextLength } from "../model/context-length.js";
import { createEvaluator, type Evaluator } from "./evaluator.js";
import { loadModelWeights } from "../model/load-model.js";
import type { MemberMessage } from "../graph/worker.js";
import type { Model } from "../model/model.js";
import { createOutputHead } from "./output-head.js";
import type { Profile } from "../graph/profile.js";
import type { Sparsity } from "../graph/sparse-products.js";
import { createSession, type InnerSession } from "./session.js";
import { tokenBytes } from "../model/bytes-per-token.js";
import { allocateWork, freeWork } from "../graph/work-plan.js";

/** A model in memory and the threads that run it. */
export interface Engine {
  readonly model: Model;
  readonly description: ModelDescription;
  /** Whether rows of the file are read while the model runs: it must then stay open until `dispose`. */
  readonly readsFile: boolean;
  readonly threads: number;
  readonly kernelBuild: KernelBuild;
  readonly product: ProductChoice;
  /** Bytes in wasm memory of weights other than the head, and of the head. */
  readonly memoryBytes: { readonly weights: number; readonly head: number };
  /** Settles with WORKER_FAILED when a worker thread has died; never, if none does. */
  readonly failure: Promise<BitNetError>;
  /** Has the team read the weights of a generated token so often, and do nothing with them: how fast memory can be read. */
  readWeights(times: number): Promise<void>;
  /** @throws BitNetError INVALID_ARGUMENT, OUT_OF_MEMORY, DISPOSED. */
  openSession(contextLength: number): InnerSession;
  /** Buffers for passes over several sequences, each of at most `contextLength` positions. @throws as openSession. */
  openEvaluator(options: EvaluatorOptions): Evaluator;
  /** A KV cache of a sequence, to be continued in passes of an evaluator. @throws as openSession. */
  openCache(contextLength: number): Cache;
  /** Copies positions from one cache to another, while no pass over them is under way. @throws BitNetError WORKER_FAILED, DISPOSED. */
  copyCache(copy: CacheCopy): Promise<void>;
  /** Ends the threads and lets go of the memory. Idempotent. */
  dispose(): Promise<void>;
}

/** What may be set for tests, benchmarks and the curious; the defaults are chosen by asking the host. */
export interface EngineChoices {
  /** Use this build of the kernels, or fail. */
  readonly kernelBuild?: KernelBuild | undefined;
  /** Use this form of the ternary product, or fail. */
  readonly ternaryForm?: TernaryForm | undefined;
  /**
   * False keeps to 128-bit code. Otherwise, where V8's experimental revectorizer can make the ternary product 256 bits wide,
   * that is used if it proves correct and faster at load. The tokens are the same.
   */
  readonly wide256?: boolean | undefined;
  /** Measures where the time of each pass goes and reports it. */
  readonly onProfile?: ((profile: Profile) => void) | undefined;
  /** Most bytes of one WebAssembly memory; a larger model takes several. A multiple of 64 KiB. */
  readonly regionBytes?: number | undefined;
  /**
   * "whole" keeps the output head in memory as the file has it. "screened" keeps an int8 copy, which tells which few rows of
   * the file to score: the same logits where they matter, from half the bytes. "auto" (default) screens F16 heads of 64 MiB
   * and more.
   */
  readonly head?: "auto" | "whole" | "screened" | undefined;
  /**
   * In models with a squared relu, most of a token's feed-forward activations may be zero, and what they would multiply can be
   * left out without changing a bit. "auto" (default) does so where it is measured to be faster while the model runs, "on"
   * always, "off" never, which saves the memory of a second copy of `down`.
   */
  readonly sparsity?: Sparsity | undefined;
}

export interface EngineOptions extends EngineChoices {
  readonly threads: number;
  /** Undefined for the model's own, capped to what memory allows. */
  readonly contextLength: number | undefined;
  /** Bytes that the host can give. */
  readonly freeBytes: number;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** Left out: what a session has. */
export interface EvaluatorOptions {
  readonly contextLength: number;
  readonly tokens?: number | undefined;
  readonly logitRows?: number | undefined;
}

/** A KV cache in memory. */
export interface Cache extends Disposable {
  readonly plan: CachePlan;
  /** Frees it; idempotent, and not while a pass over it is under way. */
  dispose(): void;
}

const memberScript = new URL("../graph/worker.js", import.meta.url);

/** Loads a file's weights and starts the threads. The caller closes the file: at once, or after `dispose` if `readsFile`. */
export async function startEngine(file: ModelFile, options: EngineOptions): Promise<Engine> {
  const kernels = await compileKernels(options.kernelBuild);
  throwIfAborted(options.signal);
  const memories = createMemories(options.regionBytes);
  const home = memories.addRegion();
  // First of all, while the memory is still all zeros.
  const barrierAddress = memories.allocate(home.index, barrierBytes, "the team's barrier");
  const product = chooseProduct(kernels, memories, {
    form: options.ternaryForm,
    wide256: options.wide256,
    groupSizes: new Set(Array.from(file.tensors.values()).flatMap(groupSizesOf)),
  });
  // Threads take as long to start as a small model takes to load: let both happen at once.
  const team = startTeam(memberScript, options.threads, kernels, memories, product, barrierAddress, {
    onProfile: options.onProfile && ((profile) => options.onProfile?.(profile as Profile)),
  });
  try {
    const tell = (message: MemberMessage): void => team.tell(message);
    const { model, description, packing } = await loadModelWeights({
      file,
      memories,
      kernels,
      chooseContextLength: (sizes, weightBytes) =>
        chooseContextLength(file.source.name, sizes, weightBytes, options),
      head: options.head ?? "auto",
      sparsity: product.columns ? (options.sparsity ?? "auto") : "off",
      contextWanted: options.contextLength,
      members: team.members,
      sharePacking: (work) => {
        const memory = memories.regions[work.region]?.memory;
        if (memory !== undefined) tell({ kind: "region", index: work.region, memory });
        return team.run({ kind: "packHalves", work });
      },
      regionBytes: options.regionBytes,
      onBytes: options.onBytes,
      signal: options.signal,
    });
    throwIfAborted(options.signal);
    for (const { index, memory } of memories.regions) tell({ kind: "region", index, memory });
    tell({ kind: "model", model });
    await team.run({ kind: "meet" });
    const { build: kernelBuild } = kernels;
    return createEngine({ model, description, packing, memories, team, tell, kernelBuild, product });
  } catch (error) {
    await team.stop();
    throw error;
  }
}

function createEngine(parts: {
  readonly model: Model;
  readonly description: ModelDescription;
  readonly packing: Packing;
  readonly memories: Memories;
  readonly team: Team;
  readonly tell: (message: MemberMessage) => void;
  readonly kernelBuild: KernelBuild;
  readonly product: ProductChoice;
}): Engine {
  const { memories, team, tell, description } = parts;
  let { model } = parts;
  const outputHead = createOutputHead({
    model: () => model,
    replace: (changed) => {
      model = changed;
      tell({ kind: "model", model });
    },
    description,
    memories,
    packing: { ...parts.packing, onBytes: () => undefined, signal: undefined },
  });
  let lastId = 0;
  let disposing: Promise<void> | undefined;

  function alive(): void {
    if (disposing !== undefined) throw new BitNetError("DISPOSED", "The model has been disposed");
  }

  function check(contextLength: number): void {
    alive();
    if (Number.isInteger(contextLength) && contextLength >= 1 && contextLength <= model.contextLength) return;
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Invalid contextLength: ${contextLength} (expected a whole number from 1 to ${model.contextLength}, what the model was loaded for)`,
      { details: { option: "contextLength", value: contextLength } },
    );
  }

  /** Undoes once what was told and taken. */
  function releaseOnce(what: "work" | "cache", id: number, free: () => void): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      tell({ kind: "forget", what, id });
      if (disposing === undefined) free();
    };
  }

  function openEvaluator(options: EvaluatorOptions): Evaluator {
    check(options.contextLength);
    const id = (lastId += 1);
    const plan = allocateWork(memories, model, { ...options, id, members: team.members });
    tell({ kind: "work", plan });
    return createEvaluator({
      plan,
      memories,
      outputHead,
      run: (batch) => team.run({ kind: "forward", work: id, batch }),
      alive,
      release: releaseOnce("work", id, () => freeWork(memories, plan)),
    });
  }

  function openCache(contextLength: number): Cache {
    check(contextLength);
    const id = (lastId += 1);
    const plan = allocateCache(memories, model, { id, contextLength });
    tell({ kind: "cache", plan });
    const dispose = releaseOnce("cache", id, () => freeCache(memories, plan));
    return { plan, dispose, [Symbol.dispose]: dispose };
  }

  return {
    model,
    description,
    readsFile: model.screen !== undefined,
    threads: team.members,
    failure: team.failure,
    kernelBuild: parts.kernelBuild,
    product: parts.product,
    memoryBytes: weightAndHeadBytes(memories, model),
    openEvaluator,
    openCache,
    readWeights: (times) => team.run({ kind: "readWeights", times }),
    copyCache: (copy) => team.run({ kind: "copyCache", copy }),
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
      // Users keep models and sessions that they have disposed of; those must not keep gigabytes.
      disposing ??= team.stop().then(() => memories.dispose());
      return disposing;
    },
  };
}

/** Bytes in use for the output head, and for all else. */
function weightAndHeadBytes(
  memories: Memories,
  model: Model,
): { readonly weights: number; readonly head: number } {
  const used = memories.regions.reduce((sum, region) => sum + region.usedBytes, 0);
  const { head } = tokenBytes(model);
  return { weights: used - head, head };
}
