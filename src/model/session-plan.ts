import { BitNetError } from "../errors.js";
import { attentionPositions, attentionScratchBytes, productScratchBytes } from "../wasm/kernels.js";
import type { Memories, Place } from "../wasm/memory.js";
import { allocateQuantized, inputForms, type QuantizedInput } from "./input-forms.js";
import { matricesOf, type Model } from "./model.js";

/** Tokens evaluated in one pass over the weights: enough to make prompts cheap, few enough to stay in the second-level cache. */
export const batchTokens = 64;
/** Largest block of logits kept at once; with "all" logits a pass takes no more tokens than fit. */
const logitsBytes = 16 << 20;

/** A matrix [tokens, cols] of f32 in wasm memory, rows `cols · 4` bytes apart. */
export interface Buffer extends Place {
  readonly cols: number;
}

/** Where a session's numbers lie: plain data that every thread of the team gets a copy of. */
export interface SessionPlan {
  readonly id: number;
  /** Positions that the KV cache holds. */
  readonly contextLength: number;
  /** Most tokens of one pass. */
  readonly batchTokens: number;
  /** Most tokens of one pass that wants all logits. */
  readonly logitsTokens: number;
  /** Working buffers by region; undefined for regions that no layer and no head is in. */
  readonly work: readonly (WorkBuffers | undefined)[];
  /** Keys and values of each layer, in its region: [kvHeads][contextLength][headSize] IEEE halves each. */
  readonly caches: readonly KvCache[];
  readonly logits: Buffer;
}

export interface KvCache {
  readonly keys: Place;
  readonly values: Place;
}

/** Activations, one set per region; those of one pass at a time. */
export interface WorkBuffers {
  /** The residual stream [tokens, width]. */
  readonly x: Buffer;
  readonly query: Buffer;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly attended: Buffer;
  readonly gate: Buffer;
  readonly up: Buffer;
  /** Inputs of a projection, written by the team together: normed f32 and quantized rows, and their records. */
  readonly shared: ProjectionInput;
  /** The same for each member's own use, for few tokens. */
  readonly own: readonly ProjectionInput[];
  /** Each member's scratch for attention: four heads' queries and scores. */
  readonly attention: readonly Place[];
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
export const ownTokens = 4;

/**
 * Takes memory for a session.
 *
 * @param members threads of the team.
 * @throws BitNetError OUT_OF_MEMORY if it does not fit; nothing stays taken then.
 */
export function allocateSession(
  memories: Memories,
  model: Model,
  options: { readonly id: number; readonly contextLength: number; readonly members: number },
): SessionPlan {
  const { id, contextLength, members } = options;
  const { width, feedForward, heads, kvHeads, headSize, vocabSize } = model.sizes;
  const taken: Place[] = [];
  const take = (region: number, bytes: number, purpose: string): number => {
    const address = memories.allocate(region, bytes, purpose);
    taken.push({ region, address });
    return address;
  };
  const tokens = Math.min(batchTokens, contextLength);
  const logitsTokens = Math.max(1, Math.min(tokens, Math.floor(logitsBytes / (vocabSize * 4))));
  const widest = Math.max(width, heads * headSize, feedForward);
  const forms = inputForms(matricesOf(model));
  const input = (region: number, count: number): ProjectionInput => ({
    normed: take(region, count * widest * 4, "working buffers"),
    quantized: allocateQuantized(forms, count, widest, (bytes) => take(region, bytes, "working buffers")),
    scratch: take(region, productScratchBytes, "working buffers"),
  });
  const workBuffers = (region: number): WorkBuffers => {
    const buffer = (cols: number): Buffer => ({
      region,
      cols,
      address: take(region, tokens * cols * 4, "working buffers"),
    });
    return {
      x: buffer(width),
      query: buffer(heads * headSize),
      key: buffer(kvHeads * headSize),
      value: buffer(kvHeads * headSize),
      attended: buffer(heads * headSize),
      gate: buffer(feedForward),
      up: buffer(feedForward),
      shared: input(region, tokens),
      own: Array.from({ length: members }, () => input(region, Math.min(ownTokens, tokens))),
      attention: Array.from({ length: members }, () => ({
        region,
        address: take(
          region,
          attentionScratchBytes(headSize, attentionPositions(contextLength)),
          "working buffers",
        ),
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
    const cacheBytes = kvHeads * contextLength * headSize * 2;
    const caches = model.layers.map(({ region }) => ({
      keys: { region, address: take(region, cacheBytes, `a KV cache of ${contextLength} tokens`) },
      values: { region, address: take(region, cacheBytes, `a KV cache of ${contextLength} tokens`) },
    }));
    const region = model.headRegion;
    const logits = { region, cols: vocabSize, address: take(region, logitsTokens * vocabSize * 4, "logits") };
    return { id, contextLength, batchTokens: tokens, logitsTokens, work, caches, logits };
  } catch (error) {
    for (const place of taken) memories.free(place.region, place.address);
    throw error;
  }
}

/** Gives back everything that a plan holds. */
export function freeSession(memories: Memories, plan: SessionPlan): void {
  const places: Place[] = [plan.logits, ...plan.caches.flatMap((cache) => [cache.keys, cache.values])];
  plan.work.forEach((work, region) => {
    if (work === undefined) return;
    places.push(
      work.x,
      work.query,
      work.key,
      work.value,
      work.attended,
      work.gate,
      work.up,
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
export function workOf(plan: SessionPlan, region: number): WorkBuffers {
  const work = plan.work[region];
  if (work === undefined)
    throw new BitNetError("WORKER_FAILED", `The session has no buffers in memory ${region}`);
  return work;
}
