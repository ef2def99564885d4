import type { PackedVector } from "../packing/packed.js";
import { turnedDimensions } from "../packing/rope-table.js";
import { attentionPositions } from "../wasm/kernels.js";
import type { CachePlan } from "./kv-cache.js";
import { paddedHeadSize } from "../model/context-length.js";
import type { Segment } from "./forward.js";
import { type Member, share } from "./worker-context.js";
import type { Model } from "../model/model.js";
import { type Buffer, workOf, type WorkPlan } from "./work-plan.js";

/** The operations between the projections to queries, keys and values and the one of what was attended to. */
export interface AttentionOperations {
  /** Normalizes each head by itself; nothing where there is no norm. */
  normHeads(norm: PackedVector | undefined, heads: Buffer): void;
  /**
   * Turns queries and keys by their positions' angles, in place; then keys and values go into their sequence's cache of the
   * layer, rounded to halves.
   */
  rotateAndCache(layer: number, query: Buffer, key: Buffer, value: Buffer): void;
  /**
   * Causal attention of every query head over its group's keys and values in its sequence's cache of the layer, as far back
   * as the layer sees.
   */
  attend(layer: number, query: Buffer, out: Buffer): void;
}

/** A segment of a batch, with the cache of its sequence. */
export interface CachedSegment extends Omit<Segment, "cache"> {
  readonly cache: CachePlan;
}

/** What is under way: set before each batch. */
export interface AttentionBatch {
  readonly plan: WorkPlan;
  readonly segments: readonly CachedSegment[];
  readonly tokens: number;
}

/** @param model must not change: its addresses are captured. */
export function createAttention(
  model: Model,
  member: Member,
  batch: () => AttentionBatch,
): AttentionOperations {
  /** Copies this member's heads into those of another size. */
  function resize(layer: number, from: Buffer, to: Buffer): void {
    const { headSize } = model.sizes;
    const padded = paddedHeadSize(model.sizes);
    const isPadded = from.cols > to.cols;
    const [fromSize, toSize] = isPadded ? [padded, headSize] : [headSize, padded];
    // Pairs of a head that turns as a whole may be half of it apart, and have to be half of the filled one apart.
    const rope = model.ropes[model.layers[layer]?.rope ?? 0];
    const parts = rope?.pairing === "halves" && rope.dimensions === headSize ? 2 : 1;
    const [begin, end] = share(from.cols / fromSize, member);
    // prettier-ignore
    member.kernels(from.region).resize_heads(
      from.address, batch().tokens, from.cols * 4, begin, end, fromSize, parts, to.address, to.cols * 4, toSize,
    );
  }

  /** Queries, keys and values as kernels take them: this member's heads filled up, if they have to be. */
  function pad(
    layer: number,
    projected: readonly [Buffer, Buffer, Buffer],
  ): readonly [Buffer, Buffer, Buffer] {
    const { padded } = workOf(batch().plan, projected[0].region);
    if (padded === undefined) return projected;
    const filled = [padded.query, padded.key, padded.value] as const;
    for (const [index, to] of filled.entries()) resize(layer, projected[index] ?? to, to);
    return filled;
  }

  return {
    normHeads(norm, heads): void {
      if (norm === undefined) return;
      const { tokens } = batch();
      const { headSize } = model.sizes;
      const headBytes = headSize * 4;
      const kernels = member.kernels(heads.region);
      // The same heads that the member rotates next: no need to wait in between.
      const [begin, end] = share(heads.cols / headSize, member);
      for (let t = 0; t < tokens; t += 1) {
        const at = heads.address + t * heads.cols * 4 + begin * headBytes;
        kernels.rms_norm(at, headSize, end - begin, headBytes, norm.address, model.epsilon, at, headBytes);
      }
    },
    rotateAndCache(layer, ...projected): void {
      const { region } = projected[0];
      const index = model.layers[layer]?.rope ?? 0;
      const turn = model.ropes[index];
      const tables = model.ropeTables[index]?.find((place) => place.region === region);
      if (turn === undefined || tables === undefined) throw new RangeError(`no rope for layer ${layer}`);
      const { heads, kvHeads } = model.sizes;
      const headSize = paddedHeadSize(model.sizes);
      const { pairing } = turn;
      const dimensions = turnedDimensions(turn);
      const kernels = member.kernels(region);
      const rope = pairing === "halves" ? kernels.rope_halves : kernels.rope_adjacent;
      const headBytes = headSize * 4;
      const rowBytes = headSize * 2;
      const [begin, end] = share(heads, member);
      const [kvBegin, kvEnd] = share(kvHeads, member);
      const [query, key, value] = pad(layer, projected);
      let first = 0;
      for (const { cache, position, tokens: count } of batch().segments) {
        const table = tables.address + position * dimensions * 4;
        const at = (rows: Buffer): number => rows.address + first * rows.cols * 4;
        // prettier-ignore
        rope(
          at(query), count, query.cols * 4, begin, end, headSize, table, dimensions, at(query), headBytes, query.cols * 4,
        );
        // prettier-ignore
        rope(
          at(key), count, key.cols * 4, kvBegin, kvEnd, headSize, table, dimensions, at(key), headBytes, key.cols * 4,
        );
        for (const [rows, to] of [
          [key, cache.layers[layer]?.keys],
          [value, cache.layers[layer]?.values],
        ] as const) {
          if (to === undefined) throw new RangeError(`a cache without layer ${layer}`);
          // prettier-ignore
          kernels.store_heads_f16(
            at(rows), count, rows.cols * 4, kvBegin, kvEnd, headSize,
            to.address + position * rowBytes, cache.contextLength * rowBytes, rowBytes,
          );
        }
        first += count;
      }
      member.barrier();
    },
    attend(layer, projected, attended): void {
      const { plan, segments } = batch();
      const { heads, kvHeads } = model.sizes;
      const headSize = paddedHeadSize(model.sizes);
      const { query = projected, attended: out = attended } = workOf(plan, projected.region).padded ?? {};
      const group = heads / kvHeads;
      const kernels = member.attentionKernels(query.region);
      const scratch = workOf(plan, query.region).attention[member.index]?.address ?? 0;
      const stride = query.cols * 4;
      const window = model.layers[layer]?.window ?? plan.contextLength;
      let firstRow = 0;
      for (const { cache, position, tokens: length } of segments) {
        const { keys, values } = cache.layers[layer] ?? {};
        if (keys === undefined || values === undefined)
          throw new RangeError(`a cache without layer ${layer}`);
        /** So many tokens from `first`, of query heads that share a key and value head. */
        const attendHeads = (head: number, count: number, first: number, tokenCount: number): void => {
          const cacheOffset = Math.floor(head / group) * cache.contextLength * headSize * 2;
          const at = (firstRow + first) * stride + head * headSize * 4;
          // prettier-ignore
          kernels.attention(
            query.address + at, stride, keys.address + cacheOffset, values.address + cacheOffset, headSize, count,
            position + first, tokenCount, window, model.attentionScale, scratch, attentionPositions(plan.contextLength),
            out.address + at, stride,
          );
        };
        if (length === 1) {
          // Heads are shared out one by one, so that an odd number of groups still makes even work.
          const [begin, end] = share(heads, member);
          for (let head = begin; head < end;) {
            const count = Math.min(end - head, group - (head % group));
            attendHeads(head, count, 0, 1);
            head += count;
          }
        } else {
          // Work is (group, token) pairs, groups outermost: a member walks few caches, and ranges are even to a token.
          const [begin, end] = share(kvHeads * length, member);
          for (let unit = begin; unit < end;) {
            const first = unit % length;
            const count = Math.min(length - first, end - unit);
            attendHeads(Math.floor(unit / length) * group, group, first, count);
            unit += count;
          }
        }
        firstRow += length;
      }
      member.barrier();
      if (out === attended) return;
      resize(layer, out, attended);
      member.barrier();
    },
  };
}
