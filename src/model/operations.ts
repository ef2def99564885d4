import { readRow } from "../packing/pack.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import type { Kernels } from "../wasm/kernels.js";
import type { Place } from "../wasm/memory.js";
import type { CachePlan } from "./cache-plan.js";
import type { Segment } from "./forward.js";
import type { Model } from "./model.js";
import {
  attentionPositions,
  type Buffer,
  inputOf,
  softmaxTotalsBytes,
  type WorkBuffers,
  workOf,
  type WorkPlan,
} from "./work-plan.js";

/** What one thread of the team is and has. */
export interface Member {
  /** 0 … count − 1. */
  readonly index: number;
  readonly count: number;
  /** This thread's kernels over a region. */
  kernels(region: number): Kernels;
  /** The ternary product over a region, in the form that is fastest here. */
  ternaryProduct(region: number): Kernels["matmul_ternary_i8_plain"];
  /** The bytes of a region, for moving rows between regions. */
  bytes(region: number): Uint8Array;
  /** Returns when all members have called it. @throws if the team is broken. */
  barrier(): void;
}

/**
 * The operations of a graph, as one member of the team does them. Each splits its work by the member's index and ends with
 * its result visible to all members.
 *
 * How work is split never changes a bit of a result: rows of a product, heads of attention and tokens of a norm are each
 * computed whole by one member, in an order that does not depend on who does it.
 */
export interface Operations {
  /** Begins a batch of these segments in these buffers. */
  begin(plan: WorkPlan, segments: readonly CachedSegment[]): void;
  buffers(plan: WorkPlan, region: number): WorkBuffers;
  /** out[t] = W[ids[t]] */
  embed(embedding: PackedMatrix, ids: readonly number[], out: Buffer): void;
  /** Brings rows to another region's buffer; returns the buffer they are in. */
  move(from: Buffer, to: Buffer): Buffer;
  /** out = W · norm(x) for matrices that share an input. */
  project(
    x: Buffer,
    norm: PackedVector | undefined,
    ...products: readonly (readonly [PackedMatrix, Buffer])[]
  ): void;
  /** out += W · norm(x) */
  projectAndAdd(x: Buffer, norm: PackedVector | undefined, matrix: PackedMatrix, out: Buffer): void;
  /** gate = activation(G · norm(x)) · (U · norm(x)) */
  projectGated(
    x: Buffer,
    norm: PackedVector | undefined,
    gate: readonly [PackedMatrix, Buffer],
    up: readonly [PackedMatrix, Buffer],
  ): void;
  /**
   * Turns queries and keys by their positions' angles, in place; then keys and values go into their sequence's cache of the
   * layer, rounded to halves.
   */
  rotateAndCache(layer: number, query: Buffer, key: Buffer, value: Buffer): void;
  /** Causal attention of every query head over its group's keys and values in its sequence's cache of the layer. */
  attend(layer: number, query: Buffer, out: Buffer): void;
  /** logits[i] = W · norm(x[rows[i]]) */
  head(x: Buffer, rows: readonly number[], norm: PackedVector, matrix: PackedMatrix, logits: Buffer): void;
  /** totals[i] = { max, Σ e^(x − max) } of the first `cols` of each of the first `rows` rows of logits. */
  softmaxTotals(logits: Buffer, rows: number, cols: number, totals: Place): void;
}

/** A segment of a batch, with the cache of its sequence. */
export interface CachedSegment extends Omit<Segment, "cache"> {
  readonly cache: CachePlan;
}

/** Rows are shared out in whole cache lines of f32 results, so that no two members write one line. */
const rowGranule = 16;

/** [begin, end) of `count` things for a member, in multiples of `granule`; ranges follow one another without gaps. */
export function share(
  count: number,
  member: { readonly index: number; readonly count: number },
  granule = 1,
): [number, number] {
  const granules = Math.ceil(count / granule);
  const begin = Math.floor((granules * member.index) / member.count) * granule;
  const end = Math.floor((granules * (member.index + 1)) / member.count) * granule;
  return [Math.min(begin, count), Math.min(end, count)];
}

/** @param model must not change: its addresses are captured. */
export function createOperations(model: Model, member: Member): Operations {
  let plan: WorkPlan;
  let segments: readonly CachedSegment[] = [];
  let tokens = 0;

  /** f32 rows at an address, `cols` of them apart. */
  interface Rows {
    readonly region: number;
    readonly address: number;
    readonly cols: number;
    readonly tokens: number;
    /** Which rows, where they are not the first `tokens`. */
    readonly picked?: readonly number[];
  }

  /**
   * Normalizes and quantizes the rows of a projection's input. For few tokens every member does all of it for itself, which
   * costs a microsecond and saves a barrier; for many they share the rows and wait.
   */
  function prepare(x: Rows, norm: PackedVector | undefined, forms: ReadonlySet<InputForm>): PreparedInput {
    const work = workOf(plan, x.region);
    const { input, alone } = inputOf(work, x.tokens, member.index);
    const kernels = member.kernels(x.region);
    const [begin, end] = alone ? [0, x.tokens] : share(x.tokens, member);
    const stride = x.cols * 4;
    const count = end - begin;
    let from = x.address;
    if (count > 0) {
      if (norm !== undefined) {
        from = input.normed;
        const normalize = (row: number, rows: number, to: number): void =>
          // prettier-ignore
          kernels.rms_norm(
            x.address + row * stride, x.cols, rows, stride, norm.address, model.epsilon, from + to * stride, stride,
          );
        if (x.picked === undefined) normalize(begin, count, begin);
        else for (let i = begin; i < end; i += 1) normalize(x.picked[i] ?? 0, 1, i);
      }
      const rows = from + begin * stride;
      if (forms.has("i8")) {
        const to = input.quantized + begin * x.cols;
        kernels.quantize_activations_i8(rows, x.cols, count, stride, to, x.cols, input.records + begin * 8);
      } else if (forms.has("i14")) {
        const to = input.quantized + begin * x.cols * 2;
        kernels.quantize_activations_i14(rows, x.cols, count, stride, to, input.records + begin * 4);
      }
    } else if (norm !== undefined) from = input.normed;
    if (!alone) member.barrier();
    return {
      region: x.region,
      tokens: x.tokens,
      cols: x.cols,
      f32: from,
      quantized: input.quantized,
      records: input.records,
    };
  }

  function scratchOf(region: number): number {
    return workOf(plan, region).own[member.index]?.scratch ?? 0;
  }

  /** This member's rows of out (+)= W · input. */
  function multiply(matrix: PackedMatrix, input: PreparedInput, out: Rows, accumulate: boolean): void {
    const kernels = member.kernels(matrix.region);
    const [begin, end] = share(matrix.rows, member, rowGranule);
    if (begin === end) return;
    const { address, cols, scale } = matrix;
    const { tokens: count, quantized, records } = input;
    const add = accumulate ? 1 : 0;
    const y = out.address;
    const yStride = out.cols * 4;
    const multiplyFloat = (kernel: Kernels["matmul_f32_f32"]): void => {
      kernel(address, cols, begin, end, input.f32, cols * 4, count, y, yStride, scale, add);
    };
    switch (matrix.layout) {
      case "ternary-rows": {
        const kernel = member.ternaryProduct(matrix.region);
        kernel(
          address,
          cols,
          begin,
          end,
          quantized,
          cols,
          records,
          count,
          y,
          yStride,
          scratchOf(matrix.region),
          scale,
          add,
        );
        return;
      }
      case "int8-rows":
        // prettier-ignore
        kernels.matmul_i8_i14(address, matrix.records, cols, begin, end, quantized, records, count, y, yStride, scale, add);
        return;
      case "f16-rows":
        multiplyFloat(kernels.matmul_f16_f32);
        return;
      case "bf16-rows":
        multiplyFloat(kernels.matmul_bf16_f32);
        return;
      case "f32-rows":
        multiplyFloat(kernels.matmul_f32_f32);
    }
  }

  function rowsOf(buffer: Buffer, count = tokens): Rows {
    return { region: buffer.region, address: buffer.address, cols: buffer.cols, tokens: count };
  }

  return {
    begin(work, batch): void {
      plan = work;
      segments = batch;
      tokens = batch.reduce((sum, segment) => sum + segment.tokens, 0);
    },
    buffers: workOf,
    embed(embedding, ids, out): void {
      const kernels = member.kernels(embedding.region);
      const [begin, end] = share(ids.length, member);
      for (let t = begin; t < end; t += 1)
        readRow(kernels, embedding, ids[t] ?? 0, out.address + t * out.cols * 4);
      member.barrier();
    },
    move(from, to): Buffer {
      if (from.region === to.region) return to;
      if (member.index === 0) {
        const bytes = tokens * from.cols * 4;
        member
          .bytes(to.region)
          .set(member.bytes(from.region).subarray(from.address, from.address + bytes), to.address);
      }
      member.barrier();
      return to;
    },
    project(x, norm, ...products): void {
      const input = prepare(rowsOf(x), norm, inputForms(products.map(([matrix]) => matrix)));
      for (const [matrix, out] of products) multiply(matrix, input, rowsOf(out), false);
      member.barrier();
    },
    projectAndAdd(x, norm, matrix, out): void {
      const input = prepare(rowsOf(x), norm, inputForms([matrix]));
      multiply(matrix, input, rowsOf(out), true);
      member.barrier();
    },
    projectGated(x, norm, [gateMatrix, gate], [upMatrix, up]): void {
      const input = prepare(rowsOf(x), norm, inputForms([gateMatrix, upMatrix]));
      multiply(gateMatrix, input, rowsOf(gate), false);
      multiply(upMatrix, input, rowsOf(up), false);
      // The member's own rows of both products are its own columns of the buffers: no need to wait in between.
      const [begin, end] = share(gateMatrix.rows, member, rowGranule);
      const kernels = member.kernels(gate.region);
      const activate = model.gate === "relu2" ? kernels.gate_relu2 : kernels.gate_silu;
      activate(gate.address, up.address, tokens, gate.cols * 4, begin, end);
      member.barrier();
    },
    rotateAndCache(layer, query, key, value): void {
      const { region } = query;
      const { heads, kvHeads, headSize } = model.sizes;
      const { dimensions, pairing } = model.rope;
      const kernels = member.kernels(region);
      const rope = pairing === "halves" ? kernels.rope_halves : kernels.rope_adjacent;
      const angles = model.ropeTables.find((place) => place.region === region)?.address ?? 0;
      const headBytes = headSize * 4;
      const rowBytes = headSize * 2;
      const [begin, end] = share(heads, member);
      const [kvBegin, kvEnd] = share(kvHeads, member);
      let first = 0;
      for (const { cache, position, tokens: count } of segments) {
        const table = angles + position * dimensions * 4;
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
    attend(layer, query, out): void {
      const { heads, kvHeads, headSize } = model.sizes;
      const group = heads / kvHeads;
      const kernels = member.kernels(query.region);
      const scratch = workOf(plan, query.region).attention[member.index]?.address ?? 0;
      const stride = query.cols * 4;
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
            position + first, tokenCount, model.attentionScale, scratch, attentionPositions(plan), out.address + at, stride,
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
    },
    head(x, rows, norm, matrix, logits): void {
      const count = rows.length;
      const input = prepare({ ...rowsOf(x, count), picked: rows }, norm, inputForms([matrix]));
      multiply(matrix, input, rowsOf(logits, count), false);
      member.barrier();
    },
    softmaxTotals(logits, rows, cols, totals): void {
      const [begin, end] = share(rows, member);
      const stride = logits.cols * 4;
      const from = logits.address + begin * stride;
      const to = totals.address + begin * softmaxTotalsBytes;
      member.kernels(logits.region).softmax_totals(from, cols, end - begin, stride, to);
      member.barrier();
    },
  };
}

/** How a kernel wants its input: as f32, or quantized to 8 or 14 bits. */
type InputForm = "f32" | "i8" | "i14";

interface PreparedInput {
  readonly region: number;
  readonly tokens: number;
  readonly cols: number;
  readonly f32: number;
  readonly quantized: number;
  readonly records: number;
}

function inputForms(matrices: readonly PackedMatrix[]): ReadonlySet<InputForm> {
  return new Set(
    matrices.map(({ layout }) => (layout === "ternary-rows" ? "i8" : layout === "int8-rows" ? "i14" : "f32")),
  );
}
