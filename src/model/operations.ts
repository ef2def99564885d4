import { readRow } from "../packing/pack.js";
import { groupSizeOf, type PackedMatrix, type PackedVector } from "../packing/packed.js";
import { attentionPositions, type GroupSize, type Kernels, type MatmulTernaryGroups } from "../wasm/kernels.js";
import { type InputForm, inputForms, quantizedFor, type QuantizedInput, quantizeRows } from "./input-forms.js";
import type { Model } from "./model.js";
import {
  type Buffer,
  type KvCache,
  ownTokens,
  type ProjectionInput,
  type SessionPlan,
  type WorkBuffers,
  workOf,
} from "./session-plan.js";

/** What one thread of the team is and has. */
export interface Member {
  /** 0 … count − 1. */
  readonly index: number;
  readonly count: number;
  /** This thread's kernels over a region. */
  kernels(region: number): Kernels;
  /** The ternary product over a region, in the form that is fastest here. */
  ternaryProduct(region: number): Kernels["matmul_ternary_i8_plain"];
  /** The same for weights in groups. */
  ternaryGroupsProduct(region: number, size: GroupSize): MatmulTernaryGroups;
  /** The kernels to take attention from. */
  attentionKernels(region: number): Kernels;
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
  /** Begins a batch of so many tokens with this session's buffers. */
  begin(session: SessionPlan, tokens: number): void;
  buffers(session: SessionPlan, region: number): WorkBuffers;
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
  /** Turns queries and keys by their positions' angles, in place; then keys and values go into the cache, rounded to halves. */
  rotateAndCache(
    cache: KvCache | undefined,
    region: number,
    position: number,
    query: Buffer,
    key: Buffer,
    value: Buffer,
  ): void;
  /** Causal attention of every query head over its group's cached keys and values. */
  attend(cache: KvCache | undefined, position: number, query: Buffer, out: Buffer): void;
  /** logits = W · norm(x) for the last row of x, or for all. */
  head(
    x: Buffer,
    which: "last" | "all" | "screen",
    norm: PackedVector,
    matrix: PackedMatrix,
    logits: Buffer,
  ): void;
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
  let plan: SessionPlan;
  let tokens = 0;

  /** f32 rows at an address, `cols` of them apart. */
  interface Rows {
    readonly region: number;
    readonly address: number;
    readonly cols: number;
    readonly tokens: number;
  }

  /**
   * Normalizes and quantizes the rows of a projection's input. For few tokens every member does all of it for itself, which
   * costs a microsecond and saves a barrier; for many they share the rows and wait.
   */
  function prepare(x: Rows, norm: PackedVector | undefined, forms: ReadonlySet<InputForm>): PreparedInput {
    const work = workOf(plan, x.region);
    const alone = x.tokens <= ownTokens;
    const input: ProjectionInput | undefined = alone ? work.own[member.index] : work.shared;
    if (input === undefined) throw new RangeError("more members than the session has buffers for");
    const kernels = member.kernels(x.region);
    const [begin, end] = alone ? [0, x.tokens] : share(x.tokens, member);
    const stride = x.cols * 4;
    const count = end - begin;
    let from = x.address;
    if (count > 0) {
      if (norm !== undefined) {
        from = input.normed;
        const source = x.address + begin * stride;
        kernels.rms_norm(
          source,
          x.cols,
          count,
          stride,
          norm.address,
          model.epsilon,
          from + begin * stride,
          stride,
        );
      }
      const rows = from + begin * stride;
      quantizeRows(kernels, forms, input.quantized, rows, x.cols, begin, end);
    } else if (norm !== undefined) from = input.normed;
    if (!alone) member.barrier();
    return {
      region: x.region,
      tokens: x.tokens,
      cols: x.cols,
      f32: from,
      quantized: input.quantized,
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
    const { tokens: count } = input;
    const add = accumulate ? 1 : 0;
    const y = out.address;
    const yStride = out.cols * 4;
    const multiplyFloat = (kernel: Kernels["matmul_f32_f32"]): void => {
      kernel(address, cols, begin, end, input.f32, cols * 4, count, y, yStride, scale, add);
    };
    switch (matrix.layout) {
      case "ternary-rows": {
        const { values, records } = quantizedFor(matrix, input.quantized);
        const kernel = member.ternaryProduct(matrix.region);
        const scratch = scratchOf(matrix.region);
        // prettier-ignore
        kernel(address, cols, begin, end, values, cols, records, count, y, yStride, scratch, scale, add);
        return;
      }
      case "ternary-groups-64":
      case "ternary-groups-128": {
        const { values, records } = quantizedFor(matrix, input.quantized);
        const kernel = member.ternaryGroupsProduct(matrix.region, groupSizeOf(matrix.layout));
        const scratch = scratchOf(matrix.region);
        // prettier-ignore
        kernel(address, matrix.records, cols, begin, end, values, records, count, y, yStride, scratch, scale, add);
        return;
      }
      case "int8-rows": {
        const { values, records } = quantizedFor(matrix, input.quantized);
        // prettier-ignore
        kernels.matmul_i8_i14(address, matrix.records, cols, begin, end, values, records, count, y, yStride, scale, add);
        return;
      }
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
    begin(session, count): void {
      plan = session;
      tokens = count;
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
    rotateAndCache(cache, region, position, query, key, value): void {
      if (cache === undefined) return;
      const { heads, kvHeads, headSize } = model.sizes;
      const { dimensions, pairing } = model.rope;
      const kernels = member.kernels(region);
      const rope = pairing === "halves" ? kernels.rope_halves : kernels.rope_adjacent;
      const table =
        (model.ropeTables.find((place) => place.region === region)?.address ?? 0) + position * dimensions * 4;
      const headBytes = headSize * 4;
      const rowBytes = headSize * 2;
      const cacheHeadBytes = plan.contextLength * rowBytes;
      const [begin, end] = share(heads, member);
      // prettier-ignore
      rope(
        query.address, tokens, query.cols * 4, begin, end, headSize, table, dimensions, query.address, headBytes, query.cols * 4,
      );
      const [kvBegin, kvEnd] = share(kvHeads, member);
      // prettier-ignore
      rope(
        key.address, tokens, key.cols * 4, kvBegin, kvEnd, headSize, table, dimensions, key.address, headBytes, key.cols * 4,
      );
      for (const [rows, to] of [
        [key, cache.keys],
        [value, cache.values],
      ] as const) {
        // prettier-ignore
        kernels.store_heads_f16(
          rows.address, tokens, rows.cols * 4, kvBegin, kvEnd, headSize, to.address + position * rowBytes, cacheHeadBytes, rowBytes,
        );
      }
      member.barrier();
    },
    attend(cache, position, query, out): void {
      if (cache === undefined) return;
      const { heads, kvHeads, headSize } = model.sizes;
      const group = heads / kvHeads;
      const kernels = member.attentionKernels(query.region);
      const scratch = workOf(plan, query.region).attention[member.index]?.address ?? 0;
      const stride = query.cols * 4;
      /** So many tokens from `first`, of query heads that share a key and value head. */
      const attendHeads = (head: number, count: number, first: number, tokenCount: number): void => {
        const cacheOffset = Math.floor(head / group) * plan.contextLength * headSize * 2;
        const at = first * stride + head * headSize * 4;
        // prettier-ignore
        kernels.attention(
          query.address + at, stride, cache.keys.address + cacheOffset, cache.values.address + cacheOffset, headSize, count,
          position + first, tokenCount, model.attentionScale, scratch, attentionPositions(plan.contextLength), out.address + at, stride,
        );
      };
      if (tokens === 1) {
        // Heads are shared out one by one, so that an odd number of groups still makes even work.
        const [begin, end] = share(heads, member);
        for (let head = begin; head < end;) {
          const count = Math.min(end - head, group - (head % group));
          attendHeads(head, count, 0, 1);
          head += count;
        }
      } else {
        // Work is (group, token) pairs, groups outermost: a member walks few caches, and ranges are even to a token.
        const [begin, end] = share(kvHeads * tokens, member);
        for (let unit = begin; unit < end;) {
          const first = unit % tokens;
          const count = Math.min(tokens - first, end - unit);
          attendHeads(Math.floor(unit / tokens) * group, group, first, count);
          unit += count;
        }
      }
      member.barrier();
    },
    head(x, which, norm, matrix, logits): void {
      const count = which === "all" ? tokens : 1;
      const first = x.address + (tokens - count) * x.cols * 4;
      const rows = { region: x.region, address: first, cols: x.cols, tokens: count };
      const input = prepare(rows, norm, inputForms([matrix]));
      multiply(matrix, input, rowsOf(logits, count), false);
      member.barrier();
    },
  };
}

interface PreparedInput {
  readonly region: number;
  readonly tokens: number;
  readonly cols: number;
  readonly f32: number;
  readonly quantized: QuantizedInput;
}
