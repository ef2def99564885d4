import type { Kernels } from "#dist/wasm/kernels.js";
import { f32, roundoff } from "../../reference/float32.js";
import { halfToNumber, roundToHalf } from "../../reference/halves.js";
import {
  ropeAngles,
  type RopeAngles,
  ropeFrequencies,
  type RopePairing,
  rotateHead,
} from "../../reference/rope.js";
import {
  type AddressOf,
  bytesOf,
  type ByteRange,
  columnRanges,
  type KernelCase,
  type KernelTwin,
  requireSame,
  requireWithin,
  stridedRows,
  unset,
} from "../kernel-case.js";
import { createNumbers, type Numbers } from "../numbers.js";

/** YaRN's parameters in Qwen3 files, for a context four times as long. */
const yarn = { originalContext: 32768, betaFast: 32, betaSlow: 1, extrapolation: 1 };

/** Every kind of frequency that a file can define. */
const frequencyCases: readonly (RopeAngles & { readonly name: string })[] = [
  { name: "plain", dimensions: 128, base: 500000 },
  { name: "the least", dimensions: 8, base: 10000 },
  { name: "linear", dimensions: 96, base: 10000, scale: 0.125 },
  { name: "with factors", dimensions: 32, base: 10000, factors: positives(16) },
  { name: "linear with factors", dimensions: 32, base: 10000, scale: 0.3, factors: positives(16) },
  { name: "YaRN", dimensions: 128, base: 1e6, scale: 0.25, yarn },
  { name: "YaRN with factors", dimensions: 64, base: 1e6, scale: 0.25, factors: positives(32), yarn },
  // The ramp begins before the first pair, or ends past the last, or is empty.
  {
    name: "YaRN of a short context",
    dimensions: 64,
    base: 1e4,
    scale: 0.5,
    yarn: { ...yarn, originalContext: 64 },
  },
  {
    name: "YaRN of a long context",
    dimensions: 64,
    base: 1e2,
    scale: 0.5,
    yarn: { ...yarn, originalContext: 2 ** 26 },
  },
  { name: "YaRN with one beta", dimensions: 64, base: 1e4, scale: 0.5, yarn: { ...yarn, betaFast: 1 } },
  { name: "YaRN by half", dimensions: 64, base: 1e4, scale: 0.5, yarn: { ...yarn, extrapolation: 0.5 } },
];

function positives(count: number): Float32Array {
  return createNumbers(5)
    .floats(count)
    .map((value) => Math.abs(value) + 0.5);
}

export const ropeFrequenciesTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    for (const angles of frequencyCases) yield frequenciesCase(angles);
  },
};

function frequenciesCase(angles: RopeAngles & { readonly name: string }): KernelCase {
  const { name, dimensions, base, scale = 1, factors } = angles;
  const { originalContext, betaFast, betaSlow, extrapolation } = angles.yarn ?? { ...yarn, extrapolation: 0 };
  return {
    name: `${name}, ${dimensions} dimensions`,
    blocks: { frequencies: unset(dimensions * 4), ...(factors && { factors: bytesOf(factors) }) },
    aligned: [],
    writes: { frequencies: [[0, dimensions * 4]] },
    ways: [
      (kernels, at) => {
        const divisors = factors === undefined ? 0 : at("factors");
        // prettier-ignore
        kernels.rope_frequencies(
          at("frequencies"), dimensions, base, scale, divisors, originalContext, betaFast, betaSlow, extrapolation,
        );
      },
    ],
    check(outcome): void {
      const actual = new Float64Array(outcome.bytes("frequencies").buffer);
      ropeFrequencies(angles).forEach((expected, i) => {
        // A power, up to two products and a sum in f64, each good to about an ulp of 2⁻⁵².
        const error = Math.abs((actual[i] ?? NaN) - expected);
        if (!(error <= 2 ** -49 * expected))
          throw new Error(`pair ${i} is ${actual[i]}, expected ${expected}`);
      });
    },
  };
}

export const ropeMagnitudeTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    for (const factor of [0.5, 1, 1.5, 4, 40, 1024]) {
      for (const logMultiplier of [0, 0.0707, 1]) yield magnitudeCase(factor, logMultiplier);
    }
  },
};

function magnitudeCase(factor: number, logMultiplier: number): KernelCase {
  // llama.cpp's get_mscale, and Hugging Face's: 1 for contexts without scaling.
  const mscale = (multiplier: number): number => (factor <= 1 ? 1 : 0.1 * multiplier * Math.log(factor) + 1);
  const expected = mscale(1) / mscale(logMultiplier);
  return {
    name: `stretched by ${factor}, log multiplier ${logMultiplier}`,
    blocks: {},
    aligned: [],
    writes: {},
    ways: [(kernels) => kernels.rope_magnitude(factor, logMultiplier)],
    check({ returned = NaN }): void {
      if (!(Math.abs(returned - expected) <= 2 ** -50 * expected)) {
        throw new Error(`the magnitude is ${returned}, expected ${expected}`);
      }
    },
  };
}

export const ropeTableTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    for (const [begin, end] of [
      [0, 0],
      [0, 1],
      [0, 7],
      [4090, 4096],
    ] as const) {
      for (const dimensions of [8, 64, 128]) yield tableCase(begin, end, { dimensions, base: 500000 });
    }
    yield tableCase(31, 37, { dimensions: 32, base: 10000, magnitude: 1.2 });
    yield tableCase(131070, 131072, { dimensions: 64, base: 1e6 });
  },
};

function tableCase(begin: number, end: number, angles: RopeAngles): KernelCase {
  const { dimensions, magnitude = 1 } = angles;
  const bytes = (end - begin) * dimensions * 4;
  const make = (kernels: Kernels, at: AddressOf, from: number, to: number): void => {
    const address = at("table") + (from - begin) * dimensions * 4;
    kernels.rope_table(address, from, to, dimensions, at("frequencies"), magnitude);
  };
  return {
    name: `positions ${begin} to ${end}, ${dimensions} dimensions`,
    blocks: {
      table: unset(bytes),
      frequencies: new Uint8Array(Float64Array.from(ropeFrequencies(angles)).buffer),
    },
    aligned: [],
    writes: { table: [[0, bytes]] },
    ways: [
      (kernels, at) => make(kernels, at, begin, end),
      (kernels, at) => {
        for (let p = end - 1; p >= begin; p -= 1) make(kernels, at, p, p + 1);
      },
    ],
    check(outcome): void {
      for (let p = begin; p < end; p += 1) {
        const row = outcome.floats("table").subarray((p - begin) * dimensions, (p - begin + 1) * dimensions);
        // One rounding to f32. In f64, an angle is good to parts in 10¹⁵, and so to p · 10⁻¹⁵.
        const bound = magnitude * (roundoff + p * 4e-15);
        requireWithin(row, ropeAngles(p, angles), () => bound, `position ${p}, angle`);
      }
    },
  };
}

interface Shape {
  readonly tokens: number;
  readonly heads: number;
  readonly headSize: number;
  readonly dimensions: number;
}

const shapes: readonly Shape[] = [
  { tokens: 0, heads: 2, headSize: 64, dimensions: 64 },
  { tokens: 1, heads: 0, headSize: 64, dimensions: 64 },
  { tokens: 1, heads: 1, headSize: 8, dimensions: 8 },
  { tokens: 3, heads: 3, headSize: 64, dimensions: 64 },
  { tokens: 2, heads: 5, headSize: 96, dimensions: 96 },
  { tokens: 2, heads: 2, headSize: 100, dimensions: 96 },
  { tokens: 2, heads: 3, headSize: 128, dimensions: 128 },
  { tokens: 2, heads: 2, headSize: 256, dimensions: 64 },
];

export function ropeTwin(pairing: RopePairing): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(6);
      for (const shape of shapes) yield* rotationCases(pairing, shape, numbers);
    },
  };
}

/** Into a cache (heads far apart, tokens of one head together), and in place. */
function* rotationCases(pairing: RopePairing, shape: Shape, numbers: Numbers): Iterable<KernelCase> {
  const { tokens, heads, headSize, dimensions } = shape;
  const headBytes = headSize * 4;
  const rows = Array.from({ length: tokens }, () => numbers.floats(heads * headSize));
  const tables = Array.from({ length: tokens }, (_, t) =>
    Float32Array.from(ropeAngles(t + 9, { dimensions, base: 10000 })),
  );
  const name = `${tokens} tokens, ${heads} heads of ${headSize}, ${dimensions} turned`;
  const turned = (t: number, h: number): Float32Array => {
    const head = rows[t]?.slice(h * headSize, (h + 1) * headSize) ?? new Float32Array(0);
    return rotateHead(head, tables[t] ?? [], dimensions, pairing);
  };
  const inputStride = heads * headBytes + 12;
  const layout = cacheLayout(shape);
  const rope = (kernels: Kernels): Kernels["rope_halves"] => kernels[`rope_${pairing}`];
  yield {
    name,
    blocks: { x: stridedRows(rows, inputStride), table: bytesOf(...tables), y: unset(layout.bytes) },
    aligned: [],
    writes: { y: layout.ranges },
    ways: [
      (kernels, at) => {
        const [x, table, y] = [at("x"), at("table"), at("y")];
        // prettier-ignore
        rope(kernels)(x, tokens, inputStride, 0, heads, headSize, table, dimensions, y, layout.headStride, headBytes);
      },
      (kernels, at) => {
        for (let t = tokens - 1; t >= 0; t -= 1) {
          for (let h = heads - 1; h >= 0; h -= 1) {
            const table = at("table") + t * dimensions * 4;
            const y = at("y") + t * headBytes;
            rope(kernels)(
              at("x") + t * inputStride,
              1,
              0,
              h,
              h + 1,
              headSize,
              table,
              dimensions,
              y,
              layout.headStride,
              0,
            );
          }
        }
      },
    ],
    check(outcome): void {
      for (const { t, h, begin } of layout.heads) {
        requireSame(
          outcome.floats("y").subarray(begin / 4, begin / 4 + headSize),
          turned(t, h),
          `token ${t}, head ${h}, element`,
        );
      }
    },
  };
  yield {
    name: `${name}, in place`,
    blocks: { x: bytesOf(...rows), table: bytesOf(...tables) },
    aligned: [],
    writes: { x: [[0, tokens * heads * headBytes]] },
    ways: [
      (kernels, at) => {
        const stride = heads * headBytes;
        rope(kernels)(
          at("x"),
          tokens,
          stride,
          0,
          heads,
          headSize,
          at("table"),
          dimensions,
          at("x"),
          headBytes,
          stride,
        );
      },
    ],
    check(outcome): void {
      for (const { t, h } of layout.heads) {
        const begin = (t * heads + h) * headSize;
        requireSame(
          outcome.floats("x").subarray(begin, begin + headSize),
          turned(t, h),
          `token ${t}, head ${h}, element`,
        );
      }
    },
  };
}

interface CacheLayout {
  readonly headStride: number;
  readonly bytes: number;
  readonly ranges: readonly ByteRange[];
  readonly heads: readonly { readonly t: number; readonly h: number; readonly begin: number }[];
}

/** [heads][tokens + 2][headSize]. The bytes between the heads must not change. */
function cacheLayout({ tokens, heads, headSize }: Shape): CacheLayout {
  const headBytes = headSize * 4;
  const headStride = (tokens + 2) * headBytes;
  const headRanges = Array.from({ length: tokens * heads }, (_, i) => {
    const [t, h] = [i % tokens, Math.floor(i / tokens)];
    return { t, h, begin: h * headStride + t * headBytes };
  });
  return {
    headStride,
    bytes: heads * headStride,
    ranges: headRanges.map(({ begin }) => [begin, begin + headBytes]),
    heads: headRanges,
  };
}

export const resizeHeadsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(8);
    for (const [tokens, heads] of [
      [0, 2],
      [1, 0],
      [1, 1],
      [3, 2],
    ] as const) {
      for (const parts of [1, 2]) {
        for (const [from, to] of [
          [100, 104],
          [104, 100],
          [12, 16],
          [8, 8],
        ] as const)
          yield resizeCase({ tokens, heads, parts, from, to }, numbers);
      }
    }
  },
};

function resizeCase(
  shape: {
    readonly tokens: number;
    readonly heads: number;
    readonly parts: number;
    readonly from: number;
    readonly to: number;
  },
  numbers: Numbers,
): KernelCase {
  const { tokens, heads, parts, from, to } = shape;
  const rows = Array.from({ length: tokens }, () => numbers.floats(heads * from));
  const [inputStride, outputStride] = [heads * from * 4 + 12, heads * to * 4 + 20];
  const resize = (
    kernels: Kernels,
    at: AddressOf,
    t: number,
    count: number,
    begin: number,
    end: number,
  ): void => {
    const [x, y] = [at("x") + t * inputStride, at("y") + t * outputStride];
    kernels.resize_heads(x, count, inputStride, begin, end, from, parts, y, outputStride, to);
  };
  return {
    name: `${tokens} tokens, ${heads} heads of ${from} to ${to} in ${parts} parts`,
    blocks: { x: stridedRows(rows, inputStride), y: unset(tokens * outputStride) },
    aligned: [],
    writes: { y: columnRanges(tokens, outputStride, 0, heads * to) },
    ways: [
      (kernels, at) => resize(kernels, at, 0, tokens, 0, heads),
      (kernels, at) => {
        for (let t = tokens - 1; t >= 0; t -= 1)
          for (let h = heads - 1; h >= 0; h -= 1) resize(kernels, at, t, 1, h, h + 1);
      },
    ],
    check(outcome): void {
      rows.forEach((row, t) => {
        const expected = Array.from({ length: heads * to }, (_, i) => {
          const [head, inHead] = [Math.floor(i / to), i % to];
          const [part, inPart] = [Math.floor(inHead / (to / parts)), inHead % (to / parts)];
          return inPart < from / parts ? (row[head * from + part * (from / parts) + inPart] ?? NaN) : 0;
        });
        const begin = (t * outputStride) / 4;
        requireSame(outcome.floats("y").subarray(begin, begin + heads * to), expected, `token ${t}, element`);
      });
    },
  };
}

export const storeHeadsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(7);
    for (const shape of shapes.filter(({ headSize }) => headSize % 8 === 0))
      yield storeCase(shape, numbers.floats(shape.tokens * shape.heads * shape.headSize), "");
    const near = [...valuesNearHalves()];
    const nearHalves = Float32Array.from({ length: Math.ceil(near.length / 8) * 8 }, (_, i) => near[i] ?? 0);
    yield storeCase(
      { tokens: 1, heads: 1, headSize: nearHalves.length, dimensions: 0 },
      nearHalves,
      ", every half and around",
    );
  },
};

/**
 * Halves of one sign with every fifth fraction, their f32 neighbours, the midpoints and their neighbours, and
 * values above the largest half.
 */
function* valuesNearHalves(): Iterable<number> {
  const large = [65504, 65519.996, 65520, 65536, 3.4e38, 2 ** -149, 2 ** -25, 1.5 * 2 ** -25, 0];
  for (const value of large) yield* [value, -value];
  for (let low = 0; low < 0x7bff; low += low < 0x0800 ? 1 : 5) {
    const at = (bits: number): number =>
      bits < 0x400 ? bits * 2 ** -24 : (1024 + (bits & 1023)) * 2 ** ((bits >> 10) - 25);
    const middle = (at(low) + at(low + 1)) / 2;
    const sign = low % 2 === 0 ? 1 : -1;
    for (const value of [at(low), middle]) {
      yield* [sign * f32(value * (1 - 2 ** -23)), sign * value, sign * f32(value * (1 + 2 ** -23)), value];
    }
  }
  yield* [1, 2];
}

function storeCase(shape: Shape, values: Float32Array, note: string): KernelCase {
  const { tokens, heads, headSize } = shape;
  const width = heads * headSize;
  const rows = Array.from({ length: tokens }, (_, t) => values.slice(t * width, (t + 1) * width));
  // Rows of halves have half the bytes.
  const layout = cacheLayout({ ...shape, headSize: headSize / 2 });
  const inputStride = width * 4 + 12;
  return {
    name: `${tokens} tokens, ${heads} heads of ${headSize}${note}`,
    blocks: { x: stridedRows(rows, inputStride), y: unset(layout.bytes) },
    aligned: [],
    writes: { y: layout.ranges },
    ways: [
      (kernels, at) => {
        const [x, y] = [at("x"), at("y")];
        // prettier-ignore
        kernels.store_heads_f16(x, tokens, inputStride, 0, heads, headSize, y, layout.headStride, headSize * 2);
      },
      (kernels, at) => {
        for (const { t, h } of layout.heads) {
          const y = at("y") + t * headSize * 2;
          kernels.store_heads_f16(
            at("x") + t * inputStride,
            1,
            0,
            h,
            h + 1,
            headSize,
            y,
            layout.headStride,
            0,
          );
        }
      },
    ],
    check(outcome): void {
      for (const { t, h, begin } of layout.heads) {
        const expected = rows[t]?.slice(h * headSize, (h + 1) * headSize).map(roundToHalf) ?? [];
        requireSame(
          Float32Array.from(new Uint16Array(outcome.bytes("y").buffer, begin, headSize), halfToNumber),
          expected,
          `token ${t}, head ${h}, element`,
        );
      }
    },
  };
}
