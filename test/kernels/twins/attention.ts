import type { Kernels } from "#dist/wasm/kernels.js";
import { recordFigure } from "../../figures.js";
import { attentionMagnitude, attentionOutput, attentionOutputBound } from "../../reference/attention.js";
import { at as valueAt, f32 } from "../../reference/float32.js";
import {
  type AddressOf,
  bytesOf,
  columnRanges,
  type KernelCase,
  type KernelTwin,
  requireWithin,
  stridedRows,
  unset,
} from "../kernel-case.js";
import { createNumbers, type Numbers } from "../numbers.js";

interface Shape {
  readonly position: number;
  readonly tokens: number;
  readonly headSize: number;
  /** What queries are multiplied by: large ones make one weight 1 and the others vanish. */
  readonly queryFactor?: number;
}

export const attentionTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(17);
    for (const tokens of [0, 1, 2, 3, 4, 5, 11]) {
      for (const position of [0, 1, 3, 6]) yield attentionCase({ position, tokens, headSize: 36 }, numbers);
    }
    for (const headSize of [4, 16, 64, 96, 100, 128, 256])
      yield attentionCase({ position: 29, tokens: 2, headSize }, numbers);
    yield attentionCase({ position: 255, tokens: 1, headSize: 64 }, numbers);
    yield attentionCase({ position: 13, tokens: 2, headSize: 64, queryFactor: 100 }, numbers);
    yield attentionCase({ position: 13, tokens: 2, headSize: 64, queryFactor: 0 }, numbers);
  },
};

function attentionCase({ position, tokens, headSize, queryFactor = 1 }: Shape, numbers: Numbers): KernelCase {
  const queries = Array.from({ length: tokens }, () =>
    numbers.floats(headSize).map((value) => value * queryFactor),
  );
  const keys = Array.from({ length: position + tokens }, () => numbers.floats(headSize));
  const values = Array.from({ length: position + tokens }, () => numbers.floats(headSize));
  const scale = f32(1 / Math.sqrt(headSize));
  const queryStride = headSize * 4 + 12;
  const outputStride = headSize * 4 + 20;
  // Scratch, rounded up to 4: its contents are the kernel's own business.
  const scoreBytes = Math.ceil((position + tokens) / 4) * 16;
  const attend = (kernels: Kernels, at: AddressOf, first: number, count: number): void => {
    const query = at("queries") + first * queryStride;
    const output = at("output") + first * outputStride;
    const [keyRows, valueRows, scores] = [at("keys"), at("values"), at("scores")];
    // prettier-ignore
    kernels.attention(
      query, queryStride, keyRows, valueRows, headSize, position + first, count, scale, scores, output, outputStride,
    );
  };
  return {
    name: `${tokens} tokens at ${position}, head of ${headSize}${queryFactor === 1 ? "" : `, queries · ${queryFactor}`}`,
    blocks: {
      queries: stridedRows(queries, queryStride),
      keys: bytesOf(...keys),
      values: bytesOf(...values),
      scores: unset(scoreBytes),
      output: unset(tokens * outputStride),
    },
    aligned: ["scores"],
    writes: { scores: [[0, scoreBytes]], output: columnRanges(tokens, outputStride, 0, headSize) },
    ways: [
      (kernels, at) => attend(kernels, at, 0, tokens),
      (kernels, at) => {
        for (let t = 0; t < tokens; t += 1) attend(kernels, at, t, 1);
      },
    ],
    check(outcome): void {
      queries.forEach((query, t) => {
        const seen = position + t + 1;
        const input = { query, keys: keys.slice(0, seen), values: values.slice(0, seen), scale };
        const magnitude = attentionMagnitude(input);
        const bound = attentionOutputBound(input);
        const actual = outcome
          .floats("output")
          .subarray((t * outputStride) / 4)
          .subarray(0, headSize);
        const within = (i: number): number => bound * valueAt(magnitude, i) + 2 ** -126;
        recordFigure(
          "attention, error / bound",
          requireWithin(actual, attentionOutput(input), within, `token ${t}, element`),
        );
      });
    },
  };
}
