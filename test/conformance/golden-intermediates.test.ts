import { describe, expect, it } from "vitest";
import { recordFigure } from "../support/figures.js";
import { requireSame, requireWithin } from "../kernels/kernel-case.js";
import { at, roundoff, ulpsApart } from "../reference/float32.js";
import { dotProductBound } from "../reference/float-product.js";
import { dumpCases, setUpDump } from "./dumped-models.js";
import { readGolden } from "./golden.js";
import { rowOf } from "./intermediates.js";

// Every operation except attention (golden-attention.test.ts), each from the native engine's own inputs, so
// that errors do not accumulate. If both results are within some bound of the exact one, they differ by at
// most twice the bound.

describe.each(dumpCases)("$name, $build kernels", ({ model, build }) => {
  const run = setUpDump(model, build);

  const inputOf = (layer: number): Float32Array<ArrayBuffer> =>
    layer === 0
      ? run.dumps.get("inp_embd", "GET_ROWS").values
      : run.dumps.get(`l_out-${layer - 1}`, "ADD").values;

  it("ternary projections are bit-exact", async (context) => {
    await run.everyLayer(context, "blk.0.attn_q.weight", async (layer) => {
      const matmuls = [
        ["attn_q", "attn_norm MUL", "Qcur"],
        ["attn_k", "attn_norm MUL", "Kcur"],
        ["attn_v", "attn_norm MUL", "Vcur"],
        [
          "attn_output",
          run.bench.has("blk.0.attn_sub_norm.weight") ? "attn_sub_norm MUL" : `${model.attended} CONT`,
          model.output,
        ],
        ["ffn_gate", "ffn_norm MUL", "ffn_gate"],
        ["ffn_up", "ffn_norm MUL", "ffn_up"],
        [
          "ffn_down",
          run.bench.has("blk.0.ffn_sub_norm.weight") ? "ffn_sub_norm MUL" : `${model.gated} MUL`,
          model.down,
        ],
      ] as const;
      for (const [tensor, input, output] of matmuls) {
        const [name = "", operation = ""] = input.split(" ");
        const x = run.dumps.get(`${name}-${layer}`, operation).values;
        const actual = await run.bench.bitLinear(`blk.${layer}.${tensor}.weight`, x);
        requireSame(actual, run.dumps.get(`${output}-${layer}`, "MUL_MAT").values, `${output}-${layer}`);
      }
    });
  });

  it("projections added to the residual stream are bit-exact", async (context) => {
    await run.everyLayer(context, "blk.0.attn_output.weight", async (layer) => {
      const attended =
        run.dumps.find(`attn_sub_norm-${layer}`, "MUL") ??
        run.dumps.get(`${model.attended}-${layer}`, "CONT");
      const middle = await run.bench.bitLinear(
        `blk.${layer}.attn_output.weight`,
        attended.values,
        inputOf(layer),
      );
      requireSame(middle, run.dumps.get(`ffn_inp-${layer}`, "ADD").values, `ffn_inp-${layer}`);
      const gated =
        run.dumps.find(`ffn_sub_norm-${layer}`, "MUL") ?? run.dumps.get(`${model.gated}-${layer}`, "MUL");
      const out = await run.bench.bitLinear(
        `blk.${layer}.ffn_down.weight`,
        gated.values,
        run.dumps.get(`ffn_inp-${layer}`, "ADD").values,
      );
      requireSame(out, run.dumps.get(`l_out-${layer}`, "ADD").values, `l_out-${layer}`);
    });
  });

  function requireUlps(actual: Float32Array, expected: Float32Array, maxUlps: number, what: string): void {
    const worst = Math.max(...Array.from(expected, (value, i) => ulpsApart(at(actual, i), value)));
    recordFigure(`golden RMSNorm, ulp`, worst);
    expect(worst, what).toBeLessThanOrEqual(maxUlps);
  }

  it("RMSNorm is within 2 ulp, what one rounding of a sum in another order may do", async (context) => {
    await run.everyLayer(context, "blk.0.attn_norm.weight", async (layer) => {
      const epsilon = run.bench.number("attention.layer_norm_rms_epsilon");
      const norms = [
        ["attn_norm", inputOf(layer)],
        ["attn_sub_norm", run.dumps.get(`${model.attended}-${layer}`, "CONT").values],
        ["ffn_norm", run.dumps.get(`ffn_inp-${layer}`, "ADD").values],
        [
          "ffn_sub_norm",
          model.gated === undefined ? undefined : run.dumps.get(`${model.gated}-${layer}`, "MUL").values,
        ],
      ] as const;
      for (const [name, x] of norms) {
        const tensor = `blk.${layer}.${name}.weight`;
        if (x === undefined || !run.bench.has(tensor)) continue;
        requireUlps(
          await run.bench.rmsNorm(tensor, x, epsilon),
          run.dumps.get(`${name}-${layer}`, "MUL").values,
          2,
          `${name}-${layer}`,
        );
      }
      const last = run.dumps.find("result_norm", "MUL");
      if (last === undefined) return;
      const x = run.dumps.get(`l_out-${Math.max(...run.dumps.layers)}`, "ADD").values;
      requireUlps(await run.bench.rmsNorm("output_norm.weight", x, epsilon), last.values, 2, "result_norm");
    });
  });

  // The native engine multiplies an f32 angle from pair to pair. Our angle comes from f64. At these positions
  // (under 16) the angles differ by a few roundoffs. A pair moves by that fraction of its length.
  const ropeBound = 2e-6;

  it("RoPE is within 2e-6 of each pair's length", async (context) => {
    await run.everyLayer(context, undefined, (layer) => {
      const dimensions = run.bench.number("rope.dimension_count");
      const base = run.bench.number("rope.freq_base");
      for (const name of ["Qcur", "Kcur"]) {
        const x = run.dumps.get(`${name}-${layer}`, "MUL_MAT").values;
        const { values, shape } = run.dumps.get(`${name}-${layer}`, "ROPE");
        const [headSize = 0, heads = 0, tokens = 0] = shape;
        const rotation = { heads, headSize, dimensions, base, pairing: model.pairing };
        const actual = run.bench.rotate(x, tokens, rotation);
        const length = (i: number): number => {
          const partner =
            model.pairing === "adjacent"
              ? i ^ 1
              : i % headSize < headSize / 2
                ? i + headSize / 2
                : i - headSize / 2;
          return Math.hypot(at(values, i), at(values, partner));
        };
        const worst = requireWithin(actual, values, (i) => ropeBound * length(i), `${name}-${layer}`);
        recordFigure("golden RoPE, parts of the length", worst * ropeBound);
      }
    });
  });

  if (model.gate === "relu2")
    it("the squared-relu gate is bit-exact", async (context) => {
      await run.everyLayer(context, undefined, (layer) => {
        const [gate, up] = [
          run.dumps.get(`ffn_gate-${layer}`, "MUL_MAT").values,
          run.dumps.get(`ffn_up-${layer}`, "MUL_MAT").values,
        ];
        requireSame(
          run.bench.gate("relu2", gate, up),
          run.dumps.get(`${model.gated}-${layer}`, "MUL").values,
          `layer ${layer}`,
        );
      });
    });

  // Our result is within 5 roundoffs (test/kernels). The native engine's exponential is within 2 ulp, which
  // is 4 roundoffs. 3 roundings follow.
  const siluBound = 12 * roundoff;

  if (model.gate === "silu" && model.gated !== undefined)
    it("the SiLU gate is within 12 roundoffs", async (context) => {
      await run.everyLayer(context, undefined, (layer) => {
        const [gate, up] = [
          run.dumps.get(`ffn_gate-${layer}`, "MUL_MAT").values,
          run.dumps.get(`ffn_up-${layer}`, "MUL_MAT").values,
        ];
        const expected = run.dumps.get(`${model.gated}-${layer}`, "MUL").values;
        const bound = (i: number): number => siluBound * Math.abs(at(expected, i)) + 2 ** -126;
        const worst = requireWithin(run.bench.gate("silu", gate, up), expected, bound, `layer ${layer}`);
        recordFigure("golden SiLU, roundoffs", worst * 12);
      });
    });

  if (model.gated === undefined)
    it("SiLU gate and norm together are within 20 roundoffs where only their end was dumped", async (context) => {
      await run.everyLayer(context, "blk.0.ffn_sub_norm.weight", async (layer) => {
        const epsilon = run.bench.number("attention.layer_norm_rms_epsilon");
        const [gate, up] = [
          run.dumps.get(`ffn_gate-${layer}`, "MUL_MAT").values,
          run.dumps.get(`ffn_up-${layer}`, "MUL_MAT").values,
        ];
        const normed = await run.bench.rmsNorm(
          `blk.${layer}.ffn_sub_norm.weight`,
          run.bench.gate("silu", gate, up),
          epsilon,
        );
        const expected = run.dumps.get(`ffn_sub_norm-${layer}`, "MUL").values;
        const bound = (i: number): number => 20 * roundoff * Math.abs(at(expected, i)) + 2 ** -126;
        recordFigure(
          "golden SiLU and norm, roundoffs",
          20 * requireWithin(normed, expected, bound, `layer ${layer}`),
        );
      });
    });

  it("embedding rows are bit-exact", async (context) => {
    run.needs(context, "token_embd.weight");
    const { values, shape } = run.dumps.get("inp_embd", "GET_ROWS");
    const [cols = 0] = shape;
    const [prompt] = readGolden(model.folder).prompts;
    for (const [t, id] of (prompt?.tokens ?? []).entries()) {
      requireSame(
        await run.bench.embeddingRow("token_embd.weight", id),
        rowOf(values, t, cols),
        `token ${t}`,
      );
    }
    expect(prompt?.tokens.length).toBe(run.dumps.tokens);
  });

  it("output logits are within the bound of two f32 sums", async (context) => {
    run.needs(context, "token_embd.weight");
    const tensor = run.bench.has("output.weight") ? "output.weight" : "token_embd.weight";
    const { values: hidden, shape } = run.dumps.get("result_norm", "MUL");
    const [cols = 0] = shape;
    const { values: expected, shape: logitsShape } = run.dumps.get("result_output", "MUL_MAT");
    const [vocabSize = 0] = logitsShape;
    const actual = await run.bench.floatLinear(tensor, hidden);
    const rows = await Promise.all(
      Array.from({ length: vocabSize }, (_, row) => run.bench.embeddingRow(tensor, row)),
    );
    // Both engines compute f32 rows × f32, in at least 8 interleaved sums.
    const bounds = actual.map((_, i) => {
      const row = rows[i % vocabSize] ?? new Float32Array(0);
      return 2 * dotProductBound(row, rowOf(hidden, Math.floor(i / vocabSize), cols), 8);
    });
    recordFigure(
      "golden head, error / bound",
      requireWithin(actual, expected, (i) => at(bounds, i), "logit"),
    );
    recordFigure(
      "golden head, absolute",
      Math.max(...actual.map((value, i) => Math.abs(value - at(expected, i)))),
    );
  });
});
