import { describe, it } from "vitest";
import { recordFigure } from "../support/figures.js";
import { requireWithin } from "../kernels/kernel-case.js";
import {
  attentionMagnitude,
  attentionOutput,
  attentionOutputBound,
  attentionWeightBound,
  attentionWeights,
  type AttentionInput,
} from "../reference/attention.js";
import { at } from "../reference/float32.js";
import { dotProduct, dotProductBound } from "../reference/float-product.js";
import { dumpCases, setUpDump } from "./dumped-models.js";
import { rowOf } from "./intermediates.js";

// Attention from the native engine's own queries, keys and values. It stores keys and values as halves, as we
// do. It also rounds queries to halves, unlike us.

describe.each(dumpCases)("attention of $name, $build kernels", ({ model, build }) => {
  const run = setUpDump(model, build);

  /** Attention operands by head: queries as f32, keys and values as the cache stores them. */
  function headsOf(
    layer: number,
  ): readonly { readonly query: Float32Array; readonly keys: Float32Array; readonly values: Float32Array }[] {
    const query = run.dumps.get(`Qcur-${layer}`, "ROPE");
    const key = run.dumps.get(`Kcur-${layer}`, "ROPE");
    const [headSize = 0, heads = 0] = query.shape;
    const [, kvHeads = 0] = key.shape;
    const gather = (values: Float32Array, head: number, count: number): Float32Array =>
      Float32Array.from({ length: run.dumps.tokens * headSize }, (_, i) => {
        const token = Math.floor(i / headSize);
        return at(values, (token * count + head) * headSize + (i % headSize));
      });
    const keys = run.bench.roundToHalves(key.values);
    const values = run.bench.roundToHalves(run.dumps.get(`Vcur-${layer}`, "MUL_MAT").values);
    return Array.from({ length: heads }, (_, head) => {
      const kvHead = Math.floor(head / (heads / kvHeads));
      return {
        query: gather(query.values, head, heads),
        keys: gather(keys, kvHead, kvHeads),
        values: gather(values, kvHead, kvHeads),
      };
    });
  }

  /** The attention input of one token. */
  function seenBy(
    token: number,
    headSize: number,
    query: Float32Array,
    keys: Float32Array,
    values: Float32Array,
  ): AttentionInput {
    const rows = (all: Float32Array): Float32Array[] =>
      Array.from({ length: token + 1 }, (_, j) => rowOf(all, j, headSize));
    return {
      query: rowOf(query, token, headSize),
      keys: rows(keys),
      values: rows(values),
      scale: 1 / Math.sqrt(headSize),
    };
  }

  it("the dumped scores are products of queries and keys rounded to halves", async (context) => {
    await run.everyLayer(context, undefined, (layer) => {
      const { shape, values: dumped } = run.dumps.get(`kq-${layer}`, "MUL_MAT");
      const [positions = 0] = shape;
      headsOf(layer).forEach(({ query, keys }, head) => {
        const rounded = run.bench.roundToHalves(query);
        const headSize = query.length / run.dumps.tokens;
        for (let t = 0; t < run.dumps.tokens; t += 1) {
          const q = rowOf(rounded, t, headSize);
          const seen = Array.from({ length: t + 1 }, (_, j) => rowOf(keys, j, headSize));
          const actual = rowOf(dumped, head * run.dumps.tokens + t, positions).subarray(0, t + 1);
          // The native engine uses 8 interleaved sums.
          const bound = seen.map((k) => dotProductBound(q, k, 8));
          requireWithin(
            actual,
            seen.map((k) => dotProduct(q, k)),
            (j) => at(bound, j),
            `kq-${layer}, head ${head}, token ${t}`,
          );
        }
      });
    });
  });

  it("softmax is within the f32 bound of the dumped weights", async (context) => {
    await run.everyLayer(context, undefined, (layer) => {
      const { shape, values: dumped } = run.dumps.get(`kq_soft_max_ext-${layer}`, "SOFT_MAX");
      const [positions = 0] = shape;
      headsOf(layer).forEach(({ query, keys }, head) => {
        const headSize = query.length / run.dumps.tokens;
        const rounded = run.bench.roundToHalves(query);
        // Value j is 1 at element j and 0 elsewhere, so attention returns its weights.
        const units = new Float32Array(keys.length);
        for (let j = 0; j < run.dumps.tokens; j += 1) units[j * headSize + j] = 1;
        const weights = run.bench.attend(rounded, keys, units, headSize);
        for (let t = 0; t < run.dumps.tokens; t += 1) {
          const input = seenBy(t, headSize, rounded, keys, units);
          const exact = attentionWeights(input);
          const bound = 2 * attentionWeightBound(input);
          const expected = rowOf(dumped, head * run.dumps.tokens + t, positions).subarray(0, t + 1);
          const actual = rowOf(weights, t, headSize).subarray(0, t + 1);
          const what = `layer ${layer}, head ${head}, token ${t}`;
          const worst = requireWithin(actual, expected, (j) => bound * at(exact, j) + 2 ** -126, what);
          recordFigure("golden softmax, relative", worst * bound);
        }
      });
    });
  });

  it("attention is within the f32 bound when queries are rounded to halves as the native engine does", async (context) => {
    await run.everyLayer(context, undefined, (layer) => {
      const { values: dumped } = run.dumps.get(`kqv-${layer}`, "MUL_MAT");
      headsOf(layer).forEach(({ query, keys, values }, head) => {
        const headSize = query.length / run.dumps.tokens;
        const rounded = run.bench.roundToHalves(query);
        const actual = run.bench.attend(rounded, keys, values, headSize);
        for (let t = 0; t < run.dumps.tokens; t += 1) {
          const input = seenBy(t, headSize, rounded, keys, values);
          const magnitude = attentionMagnitude(input);
          const bound = 2 * attentionOutputBound(input);
          const expected = rowOf(dumped, head * run.dumps.tokens + t, headSize);
          const what = `kqv-${layer}, head ${head}, token ${t}`;
          const worst = requireWithin(
            rowOf(actual, t, headSize),
            expected,
            (i) => bound * at(magnitude, i),
            what,
          );
          recordFigure("golden attention, queries as halves, relative", worst * bound);
        }
      });
    });
  });

  it("attention of the engine, queries as f32, is within what rounding the queries to halves explains", async (context) => {
    await run.everyLayer(context, undefined, (layer) => {
      const { values: dumped } = run.dumps.get(`kqv-${layer}`, "MUL_MAT");
      headsOf(layer).forEach(({ query, keys, values }, head) => {
        const headSize = query.length / run.dumps.tokens;
        const actual = run.bench.attend(query, keys, values, headSize);
        for (let t = 0; t < run.dumps.tokens; t += 1) {
          const input = seenBy(t, headSize, query, keys, values);
          const magnitude = attentionMagnitude(input);
          // Each query element changes by at most 2⁻¹¹ of itself. Weights change by at most a factor of e to
          // twice the largest change of a score.
          const change = (key: Float32Array): number =>
            2 ** -11 * dotProduct(input.query.map(Math.abs), key.map(Math.abs)) * input.scale;
          const bound = Math.expm1(2 * Math.max(...input.keys.map(change))) + 2 * attentionOutputBound(input);
          const expected = rowOf(dumped, head * run.dumps.tokens + t, headSize);
          const what = `kqv-${layer}, head ${head}, token ${t}`;
          const worst = requireWithin(
            rowOf(actual, t, headSize),
            expected,
            (i) => bound * at(magnitude, i),
            what,
          );
          recordFigure("golden attention, queries as f32, relative", worst * bound);
          // Our result must be the better one: it agrees with f64 within the f32 bound.
          const own = attentionOutputBound(input);
          requireWithin(
            rowOf(actual, t, headSize),
            attentionOutput(input),
            (i) => own * at(magnitude, i),
            what,
          );
        }
      });
    });
  });
});
