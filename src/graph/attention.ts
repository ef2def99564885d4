import type { PackedVector } from "../packing/packed.js";
import { rotatedDimensions } from "../packing/rope-table.js";
import { paddedHeadSize } from "../model/cache-format.js";
import type { Pass } from "./batch.js";
import { type CacheKernels, createCacheKernels } from "./cache-kernels.js";
import { type WorkerContext, share } from "./worker-context.js";
import type { Model } from "../model/model.js";
import { type Buffer, workOf } from "./work-plan.js";

/**
 * The operations between the projections to queries, keys and values, and the projection of attention's
 * output.
 */
export interface AttentionOperations {
  /** Normalizes each head by itself; does nothing without a norm. */
  normHeads(norm: PackedVector | undefined, heads: Buffer): void;
  /**
   * Rotates queries and keys by the angles of their positions, in place. Then writes keys and values into
   * their sequence's cache of the layer, rounded as its type wants.
   */
  rotateAndCache(layer: number, query: Buffer, key: Buffer, value: Buffer): void;
  /**
   * Causal attention of every query head over its group's keys and values, in its sequence's cache of the
   * layer and within the layer's window.
   */
  attend(layer: number, query: Buffer, out: Buffer): void;
}

/**
 * @param model must not change: the operations keep its addresses.
 * @param pass the pass under way.
 */
export function createAttention(model: Model, worker: WorkerContext, pass: () => Pass): AttentionOperations {
  const caches = createCacheKernels(model, worker);

  /** Copies this worker's heads into heads of another size. */
  function resize(layer: number, from: Buffer, to: Buffer): void {
    const { headSize } = model.sizes;
    const padded = paddedHeadSize(model.sizes);
    const isPadded = from.cols > to.cols;
    const [fromSize, toSize] = isPadded ? [padded, headSize] : [headSize, padded];
    // A pair may be half of a head apart, and must then be half of the padded head apart: copy the halves by
    // themselves.
    const rope = model.ropes[model.layers[layer]?.rope ?? 0];
    const parts = rope?.pairing === "halves" && rope.dimensions === headSize ? 2 : 1;
    const [begin, end] = share(from.cols / fromSize, worker);
    // prettier-ignore
    worker.kernels(from.region).resize_heads(
      from.address, pass().tokens, from.cols * 4, begin, end, fromSize, parts, to.address, to.cols * 4, toSize,
    );
  }

  /** Queries, keys and values as kernels take them: with this worker's heads padded if necessary. */
  function pad(
    layer: number,
    projected: readonly [Buffer, Buffer, Buffer],
  ): readonly [Buffer, Buffer, Buffer] {
    const { padded } = workOf(pass().plan, projected[0].region);
    if (padded === undefined) return projected;
    const heads = [padded.query, padded.key, padded.value] as const;
    for (const [index, to] of heads.entries()) resize(layer, projected[index] ?? to, to);
    return heads;
  }

  return {
    normHeads(norm, heads): void {
      if (norm === undefined) return;
      const { tokens } = pass();
      const { headSize } = model.sizes;
      const headBytes = headSize * 4;
      const kernels = worker.kernels(heads.region);
      // The worker rotates the same heads next: no barrier in between.
      const [begin, end] = share(heads.cols / headSize, worker);
      for (let t = 0; t < tokens; t += 1) {
        const at = heads.address + t * heads.cols * 4 + begin * headBytes;
        kernels.rms_norm(at, headSize, end - begin, headBytes, norm.address, model.epsilon, at, headBytes);
      }
    },
    rotateAndCache(layer, ...projected): void {
      const { region } = projected[0];
      const index = model.layers[layer]?.rope ?? 0;
      const description = model.ropes[index];
      const tables = model.ropeTables[index]?.find((location) => location.region === region);
      if (description === undefined || tables === undefined)
        throw new RangeError(`no rope for layer ${layer}`);
      const { heads, kvHeads } = model.sizes;
      const headSize = paddedHeadSize(model.sizes);
      const { pairing } = description;
      const dimensions = rotatedDimensions(description);
      const kernels = worker.kernels(region);
      const rope = pairing === "halves" ? kernels.rope_halves : kernels.rope_adjacent;
      const headBytes = headSize * 4;
      const [begin, end] = share(heads, worker);
      const [kvBegin, kvEnd] = share(kvHeads, worker);
      const [query, key, value] = pad(layer, projected);
      let first = 0;
      for (const { cache, position, tokens: count } of pass().segments) {
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
        const to = { cache, layer, position };
        const rowsOf = (rows: Buffer): Parameters<CacheKernels["store"]>[2] => ({
          address: at(rows),
          stride: rows.cols * 4,
          tokens: count,
          begin: kvBegin,
          end: kvEnd,
        });
        caches.store(kernels, "keys", rowsOf(key), to);
        caches.store(kernels, "values", rowsOf(value), to);
        first += count;
      }
      worker.barrier();
    },
    attend(layer, projected, attended): void {
      const { plan, segments } = pass();
      const { heads, kvHeads } = model.sizes;
      const headSize = paddedHeadSize(model.sizes);
      const { query = projected, attended: out = attended } = workOf(plan, projected.region).padded ?? {};
      const group = heads / kvHeads;
      const kernels = worker.attentionKernels(query.region);
      const scratch = workOf(plan, query.region).attention[worker.index]?.address ?? 0;
      const stride = query.cols * 4;
      const window = model.layers[layer]?.window ?? plan.contextLength;
      let firstRow = 0;
      for (const { cache, position, tokens: length } of segments) {
        /**
         * Attends `count` query heads from `head` that share a key and value head, for `tokenCount` tokens
         * from `first`.
         */
        const attendHeads = (head: number, count: number, first: number, tokenCount: number): void => {
          const at = (firstRow + first) * stride + head * headSize * 4;
          const kvHead = Math.floor(head / group);
          caches.attend(
            kernels,
            { kvHead, heads: count, position: position + first, tokens: tokenCount, window },
            { address: query.address + at, stride },
            { cache, layer },
            { address: scratch, contextLength: plan.contextLength },
            { address: out.address + at, stride },
          );
        };
        if (length === 1) {
          // Shares single heads: with groups, an odd number of them would make uneven work.
          const [begin, end] = share(heads, worker);
          for (let head = begin; head < end;) {
            const count = Math.min(end - head, group - (head % group));
            attendHeads(head, count, 0, 1);
            head += count;
          }
        } else {
          // Shares (group, token) pairs, groups outermost: a worker reads few caches, and ranges are even to
          // a token.
          const [begin, end] = share(kvHeads * length, worker);
          for (let unit = begin; unit < end;) {
            const first = unit % length;
            const count = Math.min(length - first, end - unit);
            attendHeads(Math.floor(unit / length) * group, group, first, count);
            unit += count;
          }
        }
        firstRow += length;
      }
      worker.barrier();
      if (out === attended) return;
      resize(layer, out, attended);
      worker.barrier();
    },
  };
}
