import { BitNetError } from "../errors.js";
import { paddedHeadSize } from "../model/cache-format.js";
import type { Model } from "../model/model.js";
import type { PackedMatrix } from "../packing/packed.js";
import { allocateQuantized, type InputFormat, type QuantizedInput } from "../packing/input-formats.js";
import { attentionPositions, attentionScratchBytes, matmulScratchBytes } from "../wasm/kernels.js";
import { lookupBytes, lookupRows, type LookupWorkspace, minLookupTokens } from "../wasm/lookups.js";
import type { Allocator, Location, Memories } from "../wasm/memory.js";

/** Default tokens of a pass: enough to make prompts cheap, few enough to stay in the second-level cache. */
export const batchTokens = 64;
/**
 * Default bytes of the logits buffer: a pass that gives the logits of all its tokens takes no more than fit.
 */
const logitsBytes = 16 << 20;
/** Up to this many tokens, every worker normalizes and quantizes for itself, without a barrier. */
const ownTokens = 4;

/** A matrix [tokens, cols] of f32 in wasm memory, rows `cols · 4` bytes apart. */
export interface Buffer extends Location {
  readonly cols: number;
}

/** Where the numbers of a pass lie. Plain data for every worker. */
export interface WorkPlan {
  readonly id: number;
  /** Positions of the longest sequence in a pass. */
  readonly contextLength: number;
  /** Maximum tokens of a pass. */
  readonly batchTokens: number;
  /** Working buffers by region; undefined for regions without a layer, the embedding or the head. */
  readonly work: readonly (WorkBuffers | undefined)[];
  /** [rows, vocabulary], one row for each token whose logits a pass gives. */
  readonly logits: LogitsBuffer;
  /** [rows] {f64 maximum, f64 sum}, as `logits` and in the same region. */
  readonly softmaxTotals: Location;
  /** [rows, screenBlockCount(vocabulary)] {f32 lower, f32 upper}, as `logits` and in the same region. */
  readonly screenBlocks: Location;
}

/** Rows of an output head that are screened together: a power of two, as in the kernel. */
export const screenBlockRows = 64;

/** Blocks of a head of `rows` rows. */
export function screenBlockCount(rows: number): number {
  return Math.ceil(rows / screenBlockRows);
}

/** Bytes of one row of `softmaxTotals`. */
export const softmaxTotalsBytes = 16;

/** Logits [rows, cols]. */
export interface LogitsBuffer extends Buffer {
  /** Maximum rows of a pass. */
  readonly rows: number;
}

/** The activations of one pass in one region. */
export interface WorkBuffers {
  /** The residual stream [tokens, width]. */
  readonly x: Buffer;
  /** [tokens, heads · headSize] */
  readonly query: Buffer;
  /** [tokens, kvHeads · headSize] */
  readonly key: Buffer;
  /** [tokens, kvHeads · headSize] */
  readonly value: Buffer;
  /** Attention's output [tokens, heads · headSize]. */
  readonly attended: Buffer;
  /** Undefined unless heads are padded. */
  readonly padded: PaddedHeads | undefined;
  /** [tokens, feedForward] */
  readonly gate: Buffer;
  /** [tokens, feedForward] */
  readonly up: Buffer;
  /**
   * [tokens, width], for outputs that are normalized before they are added to x; [tokens, 0] without such
   * norms.
   */
  readonly projected: Buffer;
  /** Inputs of a projection [tokens, maximum input], written by all workers together. */
  readonly shared: ProjectionInput;
  /** For each worker; empty without lookup tables, and where memory has little room. */
  readonly lookup: readonly LookupWorkspace[];
  /** For each worker inputs [ownTokens, maximum input] for itself. */
  readonly own: readonly ProjectionInput[];
  /** For each worker `sparseScratchBytes`: a u32 list [feedForward] of non-zeros, and sums [width]. */
  readonly sparse: readonly Location[];
  /** For each worker scratch of attention: queries [4, paddedHeadSize] and scores [4, contextLength]. */
  readonly attention: readonly Location[];
}

/** Heads padded with zeros to whole vectors. */
export interface PaddedHeads {
  /** [tokens, heads · paddedHeadSize] */
  readonly query: Buffer;
  /** [tokens, kvHeads · paddedHeadSize] */
  readonly key: Buffer;
  /** [tokens, kvHeads · paddedHeadSize] */
  readonly value: Buffer;
  /** [tokens, heads · paddedHeadSize] */
  readonly attended: Buffer;
}

/** Addresses of rows of a projection's input. */
export interface ProjectionInput {
  /** f32 [tokens, cols], rows `cols · 4` bytes apart. */
  readonly normed: number;
  /** The same rows in each input format of the model's matrices. */
  readonly quantized: QuantizedInput;
  /** `matmulScratchBytes`, in a worker's own input for its matmuls. */
  readonly scratch: number;
}

/** A worker's view of the input of a projection. */
export interface InputView {
  readonly input: ProjectionInput;
  /** Whether the worker has the input for itself and computes all of it. */
  readonly alone: boolean;
}

/** The input of a projection of `rows` rows for one worker. */
export function inputOf(work: WorkBuffers, rows: number, worker: number): InputView {
  const alone = rows <= ownTokens;
  const input = alone ? work.own[worker] : work.shared;
  if (input === undefined) throw new RangeError("more workers than there are buffers for");
  return { input, alone };
}

/** The parts of a model that decide the bytes and the regions of its buffers. */
export interface WorkModel extends Pick<Model, "sizes" | "headRegion" | "embeddingRegion"> {
  /** Undefined unless the head is screened. */
  readonly screen: object | undefined;
  readonly layers: readonly {
    readonly region: number;
    readonly output: { readonly outputNorm: object | undefined };
    readonly down: { readonly outputNorm: object | undefined };
  }[];
}

export interface WorkOptions {
  readonly id: number;
  /** Positions of the longest sequence, at least 1. */
  readonly contextLength: number;
  /** Number of workers. */
  readonly workers: number;
  /** The input formats of the model's matrices. */
  readonly inputFormats: Iterable<InputFormat>;
  /** Matrices whose matmuls may use lookup tables. */
  readonly lookups: Iterable<Pick<PackedMatrix, "rows" | "lookupSeries">>;
  /** Maximum tokens of a pass. Default: 64, or `contextLength` if that is less. */
  readonly tokens?: number | undefined;
  /** Maximum tokens of a pass whose logits it gives. Default: as many as fit 16 MiB, at most `tokens`. */
  readonly logitRows?: number | undefined;
}

/**
 * Allocates the buffers of passes.
 *
 * @throws BitNetError OUT_OF_MEMORY if they do not fit; nothing stays allocated then.
 */
export function allocateWork(memories: Allocator, model: WorkModel, options: WorkOptions): WorkPlan {
  const { id, contextLength } = options;
  const { vocabSize } = model.sizes;
  const taken: Location[] = [];
  const take = (region: number, bytes: number, purpose = "working buffers"): number => {
    const address = memories.allocate(region, bytes, purpose);
    taken.push({ region, address });
    return address;
  };
  const tokens = options.tokens ?? Math.min(batchTokens, contextLength);
  const fitting = Math.max(1, Math.min(tokens, Math.floor(logitsBytes / (vocabSize * 4))));
  const logitRows = options.logitRows ?? fitting;
  const regions = new Set([
    ...model.layers.map((layer) => layer.region),
    model.headRegion,
    model.embeddingRegion,
  ]);
  try {
    const buffers = memories.regions.map(({ index }) =>
      regions.has(index)
        ? workBuffers(model, { ...options, tokens, region: index }, (bytes) => take(index, bytes))
        : undefined,
    );
    const region = model.headRegion;
    const address = take(region, logitRows * vocabSize * 4, "logits");
    const logits = { region, cols: vocabSize, rows: logitRows, address };
    const softmaxTotals = { region, address: take(region, logitRows * softmaxTotalsBytes, "logits") };
    const blockBytes = model.screen === undefined ? 0 : screenBlockCount(vocabSize) * 8;
    const screenBlocks = { region, address: take(region, logitRows * blockBytes, "logits") };
    // Last, because passes work without them.
    const work = buffers.map(
      (made, index) =>
        made && { ...made, lookup: lookupWorkspaces(memories, { ...options, tokens, region: index }) },
    );
    return { id, contextLength, batchTokens: tokens, work, logits, softmaxTotals, screenBlocks };
  } catch (error) {
    for (const { region, address } of taken) memories.free(region, address);
    throw error;
  }
}

/**
 * Allocates the workspaces of all workers, or none in a memory that has not four times the room: passes work
 * without them, and caches of later sessions need memory too.
 */
function lookupWorkspaces(
  memories: Allocator,
  options: WorkOptions & { readonly tokens: number; readonly region: number },
): readonly LookupWorkspace[] {
  const { region, workers } = options;
  const lookups = [...options.lookups].filter(({ lookupSeries }) => lookupSeries > 0);
  if (lookups.length === 0 || options.tokens < minLookupTokens) return [];
  const maxOf = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);
  const maxRows = maxOf(lookups.map((matrix) => matrix.rows));
  const rows = lookupRows(maxRows, maxOf(lookups.map(({ lookupSeries }) => lookupSeries)), workers);
  const bytes = lookupBytes(rows);
  if (!memories.fits(region, 4 * workers * bytes)) return [];
  return Array.from({ length: workers }, () => ({
    rows,
    address: memories.allocate(region, bytes, "lookup tables"),
  }));
}

/** Allocates one region's buffers. */
function workBuffers(
  model: WorkModel,
  options: WorkOptions & { readonly tokens: number; readonly region: number },
  take: (bytes: number) => number,
): Omit<WorkBuffers, "lookup"> {
  const { tokens, region, contextLength, inputFormats } = options;
  const { width, feedForward, heads, kvHeads, headSize } = model.sizes;
  const padded = paddedHeadSize(model.sizes);
  const hasOutputNorms = model.layers.some(({ output, down }) => output.outputNorm ?? down.outputNorm);
  const maxInput = Math.max(width, heads * headSize, feedForward);
  const buffer = (cols: number): Buffer => ({ region, cols, address: take(tokens * cols * 4) });
  const input = (rows: number): ProjectionInput => ({
    normed: take(rows * maxInput * 4),
    quantized: allocateQuantized(inputFormats, { tokens: rows, cols: maxInput }, take),
    scratch: take(matmulScratchBytes),
  });
  const forEachWorker = <T>(make: () => T): readonly T[] => Array.from({ length: options.workers }, make);
  return {
    x: buffer(width),
    query: buffer(heads * headSize),
    key: buffer(kvHeads * headSize),
    value: buffer(kvHeads * headSize),
    attended: buffer(heads * headSize),
    padded:
      padded === headSize
        ? undefined
        : {
            query: buffer(heads * padded),
            key: buffer(kvHeads * padded),
            value: buffer(kvHeads * padded),
            attended: buffer(heads * padded),
          },
    gate: buffer(feedForward),
    up: buffer(feedForward),
    projected: buffer(hasOutputNorms ? width : 0),
    shared: input(tokens),
    own: forEachWorker(() => input(Math.min(ownTokens, tokens))),
    sparse: forEachWorker(() => ({ region, address: take(sparseScratchBytes(width, feedForward)) })),
    attention: forEachWorker(() => ({
      region,
      address: take(attentionScratchBytes(padded, attentionPositions(contextLength))),
    })),
  };
}

/** Bytes for a list of rows or columns, and for the sums of the rows of `down`. */
function sparseScratchBytes(width: number, feedForward: number): number {
  return feedForward * 4 + 16 + width * 6;
}

/** Frees everything that a plan holds. */
export function freeWork(memories: Memories, plan: WorkPlan): void {
  const locations: Location[] = [plan.logits, plan.softmaxTotals, plan.screenBlocks];
  plan.work.forEach((work, region) => {
    if (work === undefined) return;
    locations.push(
      work.x,
      work.query,
      work.key,
      work.value,
      work.attended,
      ...(work.padded === undefined ? [] : Object.values<Buffer>({ ...work.padded })),
      work.gate,
      work.up,
      ...work.sparse,
      work.projected,
      ...work.attention,
    );
    for (const { address } of work.lookup) locations.push({ region, address });
    for (const input of [work.shared, ...work.own]) {
      const quantized = Object.values(input.quantized).flatMap(({ values, records }) => [values, records]);
      for (const address of [input.normed, ...quantized, input.scratch]) locations.push({ region, address });
    }
  });
  for (const { region, address } of locations) memories.free(region, address);
}

/** The working buffers of a region. @throws BitNetError WORKER_FAILED if the plan has none there. */
export function workOf(plan: WorkPlan, region: number): WorkBuffers {
  const work = plan.work[region];
  if (work === undefined) throw new BitNetError("WORKER_FAILED", `A pass has no buffers in memory ${region}`);
  return work;
}
