import { BitNetError } from "../errors.js";
import { attentionPositions, attentionScratchBytes, productScratchBytes } from "../wasm/kernels.js";
import type { Allocator, Memories, Place } from "../wasm/memory.js";
import { paddedHeadSize } from "../model/context-length.js";
import { allocateQuantized, type QuantizedInput } from "../packing/input-forms.js";
import type { Model } from "../model/model.js";
import { sparseScratchBytes } from "./sparse-products.js";

/** Tokens evaluated in one pass over the weights: enough to make prompts cheap, few enough to stay in the second-level cache. */
export const batchTokens = 64;
/** Usual block of logits kept at once; a pass that gives the logits of all its tokens takes no more than fit. */
const logitsBytes = 16 << 20;

/** A matrix [tokens, cols] of f32 in wasm memory, rows `cols · 4` bytes apart. */
export interface Buffer extends Place {
  readonly cols: number;
}

/** Where the numbers of a pass lie while it runs: plain data that every thread of the team gets a copy of. */
export interface WorkPlan {
  readonly id: number;
  /** Positions of the longest sequence that passes may hold. */
  readonly contextLength: number;
  /** Most tokens of one pass. */
  readonly batchTokens: number;
  /** Working buffers by region; undefined for regions that no layer and no head is in. */
  readonly work: readonly (WorkBuffers | undefined)[];
  /** A row for each token whose logits a pass may give. */
  readonly logits: LogitsBuffer;
  /** Largest logit and sum of each such row, {f64, f64}, in the same region. */
  readonly softmaxTotals: Place;
  /** {lower, upper} f32 of each block of rows of a screened head, for each such row; in the same region. */
  readonly screenBlocks: Place;
}

/** Rows of an output head that are screened together; a power of two, as the kernel has it. */
export const screenBlockRows = 64;

/** Blocks of a head of so many rows. */
export function screenBlockCount(rows: number): number {
  return Math.ceil(rows / screenBlockRows);
}

/** The bytes of one row's largest logit and sum. */
export const softmaxTotalsBytes = 16;

export interface LogitsBuffer extends Buffer {
  readonly rows: number;
}

/** Activations, one set per region; those of one pass at a time. */
export interface WorkBuffers {
  /** The residual stream [tokens, width]. */
  readonly x: Buffer;
  readonly query: Buffer;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly attended: Buffer;
  /** The same four for heads of whole vectors, where the model's are not. */
  readonly padded: PaddedHeads | undefined;
  readonly gate: Buffer;
  readonly up: Buffer;
  /** What a projection gives that is normalized before it is added to x; no columns where no projection is. */
  readonly projected: Buffer;
  /** Inputs of a projection, written by the team together: normed f32 and quantized rows, and their records. */
  readonly shared: ProjectionInput;
  /** The same for each member's own use, for few tokens. */
  readonly own: readonly ProjectionInput[];
  /** Each member's lists of what is not zero, and sums (graph/sparse-products). */
  readonly sparse: readonly Place[];
  /** Each member's scratch for attention: four heads' queries and scores. */
  readonly attention: readonly Place[];
}

/** Heads filled up with zeros. */
export interface PaddedHeads {
  readonly query: Buffer;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly attended: Buffer;
}

/** Rows of a projection's input as kernels want them. */
export interface ProjectionInput {
  /** f32 rows, `cols · 4` bytes apart. */
  readonly normed: number;
  /** The same rows in every quantized form that a matrix of the model wants. */
  readonly quantized: QuantizedInput;
  /** What a call of a product wants for its own; each member uses that of its own input. */
  readonly scratch: number;
}

/** Tokens for which every member normalizes and quantizes on its own rather than share the work and wait for one another. */
const ownTokens = 4;

/** The input of a projection of so many rows, as a member sees it; each member's own is the same where it has its own. */
export function inputOf(
  work: WorkBuffers,
  rows: number,
  member: number,
): { readonly input: ProjectionInput; readonly alone: boolean } {
  const alone = rows <= ownTokens;
  const input = alone ? work.own[member] : work.shared;
  if (input === undefined) throw new RangeError("more members than there are buffers for");
  return { input, alone };
}

/** What of a model decides how much memory its passes take, and where. */
export interface WorkModel extends Pick<Model, "sizes" | "headRegion" | "embeddingRegion" | "inputForms"> {
  /** Whatever there is of a screen of the head. */
  readonly screen: object | undefined;
  readonly layers: readonly {
    readonly region: number;
    readonly output: { readonly outputNorm: object | undefined };
    readonly down: { readonly outputNorm: object | undefined };
  }[];
}

/**
 * Takes memory to compute passes in.
 *
 * @param options.members threads of the team.
 * @param options.tokens most tokens of one pass; left out, what is usual.
 * @param options.logitRows most tokens whose logits a pass gives; left out, as many as fit a buffer of a usual size.
 * @throws BitNetError OUT_OF_MEMORY if it does not fit; nothing stays taken then.
 */
export function allocateWork(
  memories: Allocator,
  model: WorkModel,
  options: {
    readonly id: number;
    readonly contextLength: number;
    readonly members: number;
    readonly tokens?: number | undefined;
    readonly logitRows?: number | undefined;
  },
): WorkPlan {
  const { id, contextLength, members } = options;
  const { width, feedForward, heads, kvHeads, headSize, vocabSize } = model.sizes;
  const taken: Place[] = [];
  const take = (region: number, bytes: number, purpose = "working buffers"): number => {
    const address = memories.allocate(region, bytes, purpose);
    taken.push({ region, address });
    return address;
  };
  const tokens = options.tokens ?? Math.min(batchTokens, contextLength);
  const fitting = Math.max(1, Math.min(tokens, Math.floor(logitsBytes / (vocabSize * 4))));
  const logitRows = options.logitRows ?? fitting;
  const hasOutputNorms = model.layers.some(({ output, down }) => output.outputNorm ?? down.outputNorm);
  const padded = paddedHeadSize(model.sizes);
  const widest = Math.max(width, heads * headSize, feedForward);
  const input = (region: number, count: number): ProjectionInput => ({
    normed: take(region, count * widest * 4),
    quantized: allocateQuantized(model.inputForms, count, widest, (bytes) => take(region, bytes)),
    scratch: take(region, productScratchBytes),
  });
  const workBuffers = (region: number): WorkBuffers => {
    const buffer = (cols: number): Buffer => ({ region, cols, address: take(region, tokens * cols * 4) });
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
      shared: input(region, tokens),
      own: Array.from({ length: members }, () => input(region, Math.min(ownTokens, tokens))),
      sparse: Array.from({ length: members }, () => ({
        region,
        address: take(region, sparseScratchBytes(width, feedForward), "working buffers"),
      })),
      attention: Array.from({ length: members }, () => ({
        region,
        address: take(region, attentionScratchBytes(padded, attentionPositions(contextLength))),
      })),
    };
  };
  try {
    const regions = new Set([
      ...model.layers.map((layer) => layer.region),
      model.headRegion,
      model.embeddingRegion,
    ]);
    const work = memories.regions.map((region) =>
      regions.has(region.index) ? workBuffers(region.index) : undefined,
    );
    const region = model.headRegion;
    const address = take(region, logitRows * vocabSize * 4, "logits");
    const logits = { region, cols: vocabSize, rows: logitRows, address };
    const softmaxTotals = { region, address: take(region, logitRows * softmaxTotalsBytes, "logits") };
    const blockBytes = model.screen === undefined ? 0 : screenBlockCount(vocabSize) * 8;
    const screenBlocks = { region, address: take(region, logitRows * blockBytes, "logits") };
    return { id, contextLength, batchTokens: tokens, work, logits, softmaxTotals, screenBlocks };
  } catch (error) {
    for (const place of taken) memories.free(place.region, place.address);
    throw error;
  }
}

/** Gives back everything that a plan holds. */
export function freeWork(memories: Memories, plan: WorkPlan): void {
  const places: Place[] = [plan.logits, plan.softmaxTotals, plan.screenBlocks];
  plan.work.forEach((work, region) => {
    if (work === undefined) return;
    places.push(
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
    for (const input of [work.shared, ...work.own]) {
      const quantized = Object.values(input.quantized).flatMap(({ values, records }) => [values, records]);
      for (const address of [input.normed, ...quantized, input.scratch]) places.push({ region, address });
    }
  });
  for (const place of places) memories.free(place.region, place.address);
}

/** The working buffers of a region that a plan has buffers in. */
export function workOf(plan: WorkPlan, region: number): WorkBuffers {
  const work = plan.work[region];
  if (work === undefined) throw new BitNetError("WORKER_FAILED", `A pass has no buffers in memory ${region}`);
  return work;
}
