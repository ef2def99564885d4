import { readRow } from "../packing/pack.js";
import { groupSizeOf, type PackedMatrix, type PackedVector, wholeBlocks } from "../packing/packed.js";
import type { Kernels } from "../wasm/kernels.js";
import type { Place } from "../wasm/memory.js";
import {
  type AttentionBatch,
  type AttentionOperations,
  type CachedSegment,
  createAttention,
} from "./attention.js";
import {
  type InputForm,
  inputForms,
  quantizedFor,
  type QuantizedInput,
  quantizeRows,
} from "../packing/input-forms.js";
import { type Member, share } from "./worker-context.js";
import type { Model, Projection } from "../model/model.js";
import { screenErrors } from "../engine/screening.js";
import {
  addListedColumns,
  columnGranule,
  createChoice,
  multiplyListedRows,
  type SparseOperands,
} from "./sparse-products.js";
import {
  type Buffer,
  inputOf,
  screenBlockCount,
  screenBlockRows,
  softmaxTotalsBytes,
  type WorkBuffers,
  workOf,
  type WorkPlan,
} from "./work-plan.js";

/**
 * The operations of a graph, as one member of the team does them. Each splits its work by the member's index and ends with
 * its result visible to all members.
 *
 * How work is split never changes a bit of a result: rows of a product, heads of attention and tokens of a norm are each
 * computed whole by one member, in an order that does not depend on who does it.
 */
export interface Operations extends AttentionOperations {
  /** Begins a batch of these segments in these buffers. */
  begin(plan: WorkPlan, segments: readonly CachedSegment[]): void;
  buffers(plan: WorkPlan, region: number): WorkBuffers;
  /** out[t] = W[ids[t]] */
  embed(embedding: PackedMatrix, ids: readonly number[], out: Buffer): void;
  /** x = x · factor */
  scale(x: Buffer, factor: number): void;
  /** Brings rows to another region's buffer; returns the buffer they are in. */
  move(from: Buffer, to: Buffer): Buffer;
  /** out = W · norm(x) for projections that share an input; each may normalize it once more for itself. */
  project(x: Buffer, norm: PackedVector, ...products: readonly (readonly [Projection, Buffer])[]): void;
  /** out += W · x */
  projectAndAdd(x: Buffer, projection: Projection, out: Buffer): void;
  /** gate = activation(G · norm(x)) · (U · norm(x)) */
  projectGated(
    x: Buffer,
    norm: PackedVector,
    gate: readonly [Projection, Buffer],
    up: readonly [Projection, Buffer],
  ): void;
  /** x = norm(x) */
  normalize(x: Buffer, norm: PackedVector): void;
  /** logits[i] = W · norm(x[rows[i]]) */
  head(x: Buffer, rows: readonly number[], norm: PackedVector, matrix: PackedMatrix, logits: Buffer): void;
  /**
   * Upper bounds of the logits by the head's screen, in place of logits, and {lower, upper} of each block of them: as
   * `head`, and then what each member's own rows need (engine/screening).
   */
  screen(x: Buffer, rows: readonly number[], norm: PackedVector, cols: readonly number[]): void;
  /** totals[i] = { max, Σ e^(x − max) } of the first `cols` of each of the first `rows` rows of logits. */
  softmaxTotals(logits: Buffer, rows: number, cols: number, totals: Place): void;
}

/** Is told of the zeros that sparse products can leave out, by one member, of all tokens of a pass and layer after layer. */
export interface ZeroWatch {
  /** relu(gate)² · up: where it is zero, nothing depends on that row of `up`. */
  gated(values: Float32Array): void;
  /** int8 inputs of `down`, the zeros above among them: where one is zero, nothing depends on that column of `down`. */
  downInputs(values: Int8Array): void;
}

/** Rows are shared out in whole cache lines of f32 results, so that no two members write one line. */
const rowGranule = 16;

/**
 * @param model must not change: its addresses are captured.
 * @param watch for profiles: counting takes time.
 */
export function createOperations(model: Model, member: Member, watch?: ZeroWatch): Operations {
  let plan: WorkPlan;
  let tokens = 0;
  let batch: AttentionBatch;
  const columnsOf = new Map(model.layers.map((layer) => [layer.down.matrix, layer.downColumns]));
  const [rowChoice, columnChoice] = [createChoice(model.sparsity), createChoice(model.sparsity)];

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
   * Normalizes the rows of a projection's input, by one norm after another, and quantizes them. For few tokens every member
   * does all of it for itself, which costs a microsecond and saves a barrier; for many they share the rows and wait.
   */
  function prepare(
    x: Rows,
    norms: readonly (PackedVector | undefined)[],
    forms: ReadonlySet<InputForm>,
  ): PreparedInput {
    const work = workOf(plan, x.region);
    const { input, alone } = inputOf(work, x.tokens, member.index);
    const kernels = member.kernels(x.region);
    const [begin, end] = alone ? [0, x.tokens] : share(x.tokens, member);
    const stride = x.cols * 4;
    const count = end - begin;
    let from = x.address;
    let { picked } = x;
    for (const norm of norms) {
      if (norm === undefined) continue;
      const normalize = (row: number, rows: number, to: number): void =>
        // prettier-ignore
        kernels.rms_norm(
          from + row * stride, x.cols, rows, stride, norm.address, model.epsilon, input.normed + to * stride, stride,
        );
      if (picked !== undefined) for (let i = begin; i < end; i += 1) normalize(picked[i] ?? 0, 1, i);
      else if (count > 0) normalize(begin, count, begin);
      from = input.normed;
      picked = undefined;
    }
    if (count > 0) {
      const rows = from + begin * stride;
      quantizeRows(kernels, forms, input.quantized, rows, x.cols, begin, end);
    }
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

  /** This member's rows of out (+)= W · input + bias. */
  function multiply(
    { matrix, bias }: Projection,
    input: PreparedInput,
    out: Rows,
    accumulate: boolean,
  ): void {
    multiplyMatrix(matrix, input, out, accumulate);
    if (bias === undefined) return;
    const [begin, end] = share(matrix.rows, member, rowGranule);
    const kernels = member.kernels(matrix.region);
    kernels.add_rows(out.address, bias.address, out.tokens, out.cols * 4, 0, begin, end);
  }

  /** This member's rows of products that share an input, up to a norm of their own. */
  function multiplyAll(
    x: Rows,
    norm: PackedVector,
    products: readonly (readonly [Projection, Buffer])[],
  ): void {
    if (products.every(([{ inputNorm }]) => inputNorm === undefined)) {
      const input = prepare(x, [norm], inputForms(products.map(([{ matrix }]) => matrix)));
      for (const [projection, out] of products) multiply(projection, input, rowsOf(out), false);
      return;
    }
    for (const [index, [projection, out]] of products.entries()) {
      // What members share must not be overwritten while one still reads it.
      if (index > 0 && !inputOf(workOf(plan, x.region), x.tokens, member.index).alone) member.barrier();
      const input = prepare(x, [norm, projection.inputNorm], inputForms([projection.matrix]));
      multiply(projection, input, rowsOf(out), false);
    }
  }

  /** This member's rows of out (+)= W · input. */
  function multiplyMatrix(
    matrix: PackedMatrix,
    input: PreparedInput,
    out: Rows,
    accumulate: boolean,
    [begin, end] = share(matrix.rows, member, rowGranule),
  ): void {
    const kernels = member.kernels(matrix.region);
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
        const whole = wholeBlocks(cols);
        // prettier-ignore
        kernel(address, whole, begin, end, values, whole, records, count, y, yStride, scratch, scale, add);
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

  /** What a sparse product of one token needs; undefined for more tokens, and where there is nothing to leave out. */
  function sparseOperands(
    matrix: PackedMatrix,
    input: PreparedInput,
    out: Buffer,
  ): SparseOperands | undefined {
    if (model.gate !== "relu2" || model.sparsity === "off") return undefined;
    if (input.tokens !== 1 || matrix.layout !== "ternary-rows" || matrix.cols % 128 !== 0) return undefined;
    const { values, records } = quantizedFor(matrix, input.quantized);
    return {
      kernels: member.sparseKernels(matrix.region),
      quantized: values,
      record: records,
      output: out.address,
      scratch: workOf(plan, matrix.region).sparse[member.index]?.address ?? 0,
    };
  }

  /** As multiply, for the `up` of a squared relu: where the gate is positive, if those rows are few. True if so. */
  function multiplyGated(
    matrix: PackedMatrix,
    input: PreparedInput,
    gate: Buffer,
    up: Buffer,
    range: [number, number],
  ): boolean {
    const operands = sparseOperands(matrix, input, up);
    if (operands !== undefined) {
      const scratch = scratchOf(matrix.region);
      if (multiplyListedRows(operands, rowChoice, member.form, matrix, gate.address, range, scratch))
        return true;
    }
    const started = performance.now();
    multiplyMatrix(matrix, input, rowsOf(up), false, range);
    if (operands !== undefined) rowChoice.dense(range[1] - range[0], performance.now() - started);
    return false;
  }

  /** As multiply, adding up; of a matrix that there is a copy by columns of, those whose input is not zero, if they are few. */
  function multiplyAndAdd(projection: Projection, input: PreparedInput, out: Buffer): void {
    const { matrix, bias } = projection;
    const columns = bias === undefined ? columnsOf.get(matrix) : undefined;
    const operands = columns && sparseOperands(matrix, input, out);
    if (columns === undefined || operands === undefined) {
      multiply(projection, input, rowsOf(out), true);
      return;
    }
    // The same rows either way: other members may decide otherwise.
    const range = share(matrix.rows, member, columnGranule);
    if (range[0] === range[1] || addListedColumns(operands, columnChoice, matrix, columns, range)) return;
    const started = performance.now();
    multiplyMatrix(matrix, input, rowsOf(out), true, range);
    columnChoice.dense(matrix.cols, performance.now() - started);
  }

  function rowsOf(buffer: Buffer, count = tokens): Rows {
    return { region: buffer.region, address: buffer.address, cols: buffer.cols, tokens: count };
  }

  return {
    begin(work, segments): void {
      plan = work;
      tokens = segments.reduce((sum, segment) => sum + segment.tokens, 0);
      batch = { plan, segments, tokens };
    },
    buffers: workOf,
    embed(embedding, ids, out): void {
      const kernels = member.kernels(embedding.region);
      const [begin, end] = share(ids.length, member);
      for (let t = begin; t < end; t += 1)
        readRow(kernels, embedding, ids[t] ?? 0, out.address + t * out.cols * 4);
      member.barrier();
    },
    scale(x, factor): void {
      const [begin, end] = share(tokens, member);
      const stride = x.cols * 4;
      member.kernels(x.region).scale_rows(x.address + begin * stride, end - begin, stride, x.cols, factor);
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
      multiplyAll(rowsOf(x), norm, products);
      member.barrier();
    },
    projectAndAdd(x, projection, out): void {
      const { matrix, inputNorm, outputNorm } = projection;
      const input = prepare(rowsOf(x), [inputNorm], inputForms([matrix]));
      if (watch !== undefined && matrix.layout === "ternary-rows" && columnsOf.has(matrix)) {
        const { buffer, byteOffset } = member.bytes(input.region);
        const { values } = quantizedFor(matrix, input.quantized);
        const stride = wholeBlocks(matrix.cols);
        for (let t = 0; t < tokens; t += 1) {
          watch.downInputs(new Int8Array(buffer, byteOffset + values + t * stride, matrix.cols));
        }
      }
      if (outputNorm === undefined) {
        multiplyAndAdd(projection, input, out);
        member.barrier();
        return;
      }
      const { projected } = workOf(plan, out.region);
      multiply(projection, input, rowsOf(projected), false);
      member.barrier();
      // A norm needs whole rows: of these each member takes some.
      const kernels = member.kernels(out.region);
      const [begin, end] = share(tokens, member);
      const stride = out.cols * 4;
      const [rows, to] = [projected.address + begin * stride, out.address + begin * stride];
      const count = end - begin;
      kernels.rms_norm(rows, out.cols, count, stride, outputNorm.address, model.epsilon, rows, stride);
      kernels.add_rows(to, rows, count, stride, stride, 0, out.cols);
      member.barrier();
    },
    projectGated(x, norm, gateProduct, upProduct): void {
      const [[gateLayer, gate], [upLayer, up]] = [gateProduct, upProduct];
      // The member's own rows of both products are its own columns of the buffers: no need to wait in between.
      const range = share(gateLayer.matrix.rows, member, rowGranule);
      const kernels = member.kernels(gate.region);
      const activate = (): void =>
        kernels[`gate_${model.gate}`](gate.address, up.address, tokens, gate.cols * 4, ...range);
      const plain = [gateLayer, upLayer].every(
        (layer) => layer.inputNorm === undefined && layer.bias === undefined,
      );
      if (plain) {
        const input = prepare(rowsOf(x), [norm], inputForms([gateLayer.matrix, upLayer.matrix]));
        multiplyMatrix(gateLayer.matrix, input, rowsOf(gate), false, range);
        if (multiplyGated(upLayer.matrix, input, gate, up, range)) {
          kernels.gate_relu2_listed(gate.address, up.address, ...range);
        } else activate();
      } else {
        multiplyAll(rowsOf(x), norm, [gateProduct, upProduct]);
        activate();
      }
      member.barrier();
      if (watch !== undefined) {
        const { buffer, byteOffset } = member.bytes(gate.region);
        watch.gated(new Float32Array(buffer, byteOffset + gate.address, tokens * gate.cols));
      }
    },
    ...createAttention(model, member, () => batch),
    normalize(x, norm): void {
      const [begin, end] = share(tokens, member);
      const stride = x.cols * 4;
      const at = x.address + begin * stride;
      const kernels = member.kernels(x.region);
      kernels.rms_norm(at, x.cols, end - begin, stride, norm.address, model.epsilon, at, stride);
      member.barrier();
    },
    head(x, rows, norm, matrix, logits): void {
      const count = rows.length;
      const input = prepare({ ...rowsOf(x, count), picked: rows }, [norm], inputForms([matrix]));
      multiplyMatrix(matrix, input, rowsOf(logits, count), false);
      member.barrier();
    },
    screen(x, rows, norm, cols): void {
      const { logits, screenBlocks } = plan;
      const { screen } = model;
      if (screen === undefined) throw new RangeError("a head without a screen");
      const { matrix, boundsAddress } = screen;
      const count = rows.length;
      const input = prepare({ ...rowsOf(x, count), picked: rows }, [norm], inputForms([matrix]));
      const range = share(matrix.rows, member, screenBlockRows);
      multiplyMatrix(matrix, input, rowsOf(logits, count), false, range);
      const kernels = member.kernels(matrix.region);
      const { buffer, byteOffset } = member.bytes(matrix.region);
      for (let i = 0; i < count; i += 1) {
        const hidden = new Float32Array(buffer, byteOffset + input.f32 + i * matrix.cols * 4, matrix.cols);
        const { fromLost, fromSize } = screenErrors(hidden);
        const at = logits.address + i * logits.cols * 4;
        const blocks = screenBlocks.address + i * screenBlockCount(logits.cols) * 8;
        const end = Math.min(range[1], cols[i] ?? 0);
        if (range[0] < end) kernels.screen_rows(at, boundsAddress, range[0], end, fromLost, fromSize, blocks);
      }
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

interface PreparedInput {
  readonly region: number;
  readonly tokens: number;
  readonly cols: number;
  readonly f32: number;
  readonly quantized: QuantizedInput;
}
