import { attentionPositions, attentionScratchBytes, type Kernels } from "#dist/wasm/kernels.js";
import { numberToFloat16 } from "#dist/weight-formats/float16.js";
import { recordFigure } from "../../support/figures.js";
import { attentionMagnitude, attentionOutput, attentionOutputBound } from "../../reference/attention.js";
import { at as valueAt, f32 } from "../../reference/float32.js";
import { halfToNumber } from "../../reference/halves.js";
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
  readonly heads: number;
  readonly headSize: number;
  /** The number of positions that a token attends to, including its own. Default: all. */
  readonly window?: number;
  /** The factor of queries. A large one makes one weight 1 and the others vanish. */
  readonly queryFactor?: number;
}

export const attentionTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(17);
    for (const tokens of [0, 1, 2, 3, 4, 5, 11]) {
      for (const position of [0, 1, 3, 6])
        yield attentionCase({ position, tokens, heads: 2, headSize: 40 }, numbers);
    }
    // Heads in groups of four, in groups of two and alone, in every combination.
    for (const heads of [0, 1, 2, 3, 4, 5, 7, 8])
      yield attentionCase({ position: 6, tokens: 2, heads, headSize: 16 }, numbers);
    for (const headSize of [8, 16, 24, 64, 96, 104, 128, 256])
      yield attentionCase({ position: 29, tokens: 2, heads: 4, headSize }, numbers);
    // Across the blocks of 256 positions of the sum over values.
    for (const position of [254, 255, 256, 600])
      yield attentionCase({ position, tokens: 2, heads: 1, headSize: 64 }, numbers);
    // Windows of one position, within and across the tokens of a pass, as long as the text, and longer.
    for (const window of [1, 2, 5, 9, 12, 17, 18, 1000])
      yield attentionCase({ position: 7, tokens: 11, heads: 3, headSize: 16, window }, numbers);
    yield attentionCase({ position: 600, tokens: 2, heads: 4, headSize: 64, window: 512 }, numbers);
    yield attentionCase({ position: 13, tokens: 2, heads: 1, headSize: 64, queryFactor: 100 }, numbers);
    yield attentionCase({ position: 13, tokens: 2, heads: 1, headSize: 64, queryFactor: 0 }, numbers);
  },
};

function attentionCase(shape: Shape, numbers: Numbers): KernelCase {
  const { position, tokens, heads, headSize, window = 1e6, queryFactor = 1 } = shape;
  const width = heads * headSize;
  const queries = Array.from({ length: tokens }, () =>
    numbers.floats(width).map((value) => value * queryFactor),
  );
  const halfRows = (): Uint16Array[] =>
    Array.from({ length: position + tokens }, () =>
      Uint16Array.from(numbers.floats(headSize), numberToFloat16),
    );
  const [keyBits, valueBits] = [halfRows(), halfRows()];
  const widen = (row: Uint16Array): Float32Array => Float32Array.from(row, halfToNumber);
  const [keys, values] = [keyBits.map(widen), valueBits.map(widen)];
  const scale = f32(1 / Math.sqrt(headSize));
  const queryStride = width * 4 + 12;
  const outputStride = width * 4 + 20;
  const positions = attentionPositions(position + tokens);
  const scratchBytes = attentionScratchBytes(headSize, positions);
  const attend = (
    kernels: Kernels,
    at: AddressOf,
    first: number,
    count: number,
    head: number,
    headCount: number,
  ): void => {
    const query = at("queries") + first * queryStride + head * headSize * 4;
    const output = at("output") + first * outputStride + head * headSize * 4;
    const [keyRows, valueRows, scratch] = [at("keys"), at("values"), at("scratch")];
    // prettier-ignore
    kernels.attention(
      query, queryStride, keyRows, valueRows, headSize, headCount, position + first, count, window, scale, scratch,
      positions, output, outputStride,
    );
  };
  return {
    name: `${tokens} tokens at ${position}, ${heads} heads of ${headSize}${shape.window === undefined ? "" : `, a window of ${window}`}${queryFactor === 1 ? "" : `, queries · ${queryFactor}`}`,
    blocks: {
      queries: stridedRows(queries, queryStride),
      keys: bytesOf(...keyBits),
      values: bytesOf(...valueBits),
      scratch: unset(scratchBytes),
      output: unset(tokens * outputStride),
    },
    aligned: ["scratch"],
    scratch: ["scratch"],
    writes: { scratch: [[0, scratchBytes]], output: columnRanges(tokens, outputStride, 0, width) },
    ways: [
      (kernels, at) => attend(kernels, at, 0, tokens, 0, heads),
      (kernels, at) => {
        for (let t = 0; t < tokens; t += 1) attend(kernels, at, t, 1, 0, heads);
      },
      (kernels, at) => {
        for (let head = 0; head < heads; head += 1) attend(kernels, at, 0, tokens, head, 1);
      },
    ],
    check(outcome): void {
      queries.forEach((queryRow, t) => {
        const end = position + t + 1;
        const begin = Math.max(0, end - window);
        const seen = end - begin;
        for (let head = 0; head < heads; head += 1) {
          const query = queryRow.subarray(head * headSize, (head + 1) * headSize);
          const input = { query, keys: keys.slice(begin, end), values: values.slice(begin, end), scale };
          const magnitude = attentionMagnitude(input);
          const bound = attentionOutputBound(input);
          const at = (t * outputStride) / 4 + head * headSize;
          const actual = outcome.floats("output").subarray(at, at + headSize);
          // The exponential is at least 2⁻¹²⁶, so a vanishing weight may be that large. |value| is below 8.
          const within = (i: number): number => bound * valueAt(magnitude, i) + seen * 8 * 2 ** -126;
          recordFigure(
            "attention, error / bound",
            requireWithin(actual, attentionOutput(input), within, `token ${t}, head ${head}, element`),
          );
        }
      });
    },
  };
}
