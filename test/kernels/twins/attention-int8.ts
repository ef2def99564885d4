import { attentionPositions, attentionScratchBytes, type Kernels } from "#dist/wasm/kernels.js";
import { type AttentionForm, int8Attention as int8Kernel } from "#dist/wasm/cache-types.js";
import { recordFigure } from "../../support/figures.js";
import { attentionMagnitude, attentionOutput } from "../../reference/attention.js";
import { at as valueAt, f32 } from "../../reference/float32.js";
import {
  int8Attention,
  int8Layout,
  numbersOf,
  type Rounded,
  roundedQuery,
  roundKey,
  roundValue,
} from "../../reference/int8-heads.js";
import {
  type AddressOf,
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

interface Shape {
  readonly position: number;
  readonly tokens: number;
  readonly heads: number;
  readonly headSize: number;
  /** The number of positions that a token attends to, including its own. Default: all. */
  readonly window?: number;
  /** The factor of queries. A large one makes one weight 1 and the others vanish. */
  readonly queryFactor?: number;
  /** All products are the largest that codes can have. */
  readonly extreme?: true;
}

export function int8AttentionTwin(form: AttentionForm): KernelTwin {
  return {
    onlyInRelaxed: form === "i32",
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(19);
      const make = (shape: Shape): KernelCase => attentionCase(form, shape, numbers);
      for (const tokens of [0, 1, 2, 5]) {
        for (const position of [0, 1, 6, 14, 15]) yield make({ position, tokens, heads: 2, headSize: 40 });
      }
      // Heads in groups of four, in groups of two and alone, in every combination.
      for (const heads of [0, 1, 2, 3, 4, 5, 7, 8])
        yield make({ position: 6, tokens: 2, heads, headSize: 16 });
      // Whole and partial groups of 32 elements and strips of sixteen.
      for (const headSize of [8, 16, 24, 32, 40, 64, 96, 104, 128, 256])
        yield make({ position: 29, tokens: 2, heads: 4, headSize });
      // Across blocks of 16 and of 128 positions.
      for (const position of [126, 127, 128, 255, 256, 600])
        yield make({ position, tokens: 2, heads: 3, headSize: 64 });
      for (const window of [1, 2, 9, 15, 16, 17, 18, 1000])
        yield make({ position: 7, tokens: 11, heads: 3, headSize: 16, window });
      for (const window of [1, 127, 128, 129, 400])
        yield make({ position: 500, tokens: 2, heads: 4, headSize: 32, window });
      yield make({ position: 13, tokens: 2, heads: 1, headSize: 64, queryFactor: 100 });
      yield make({ position: 13, tokens: 2, heads: 1, headSize: 64, queryFactor: 0 });
      yield make({ position: 300, tokens: 1, heads: 4, headSize: 128, extreme: true });
    },
  };
}

function attentionCase(form: AttentionForm, shape: Shape, numbers: Numbers): KernelCase {
  const { position, tokens, heads, headSize, window = 1e6, queryFactor = 1, extreme } = shape;
  const width = heads * headSize;
  const count = position + tokens;
  const rows = (length: number, size: number): Float32Array[] =>
    Array.from({ length }, () => (extreme === true ? new Float32Array(size).fill(-1) : numbers.floats(size)));
  const queries = rows(tokens, width).map((row) => row.map((value) => value * queryFactor));
  const [keyRows, valueRows] = [rows(count, headSize), rows(count, headSize)];
  const [keys, values] = [keyRows.map(roundKey), valueRows.map(roundValue)];
  const cachePositions = attentionPositions(count) + 128;
  const caches = encode(keys, values, headSize, cachePositions);
  const scale = f32(1 / Math.sqrt(headSize));
  const queryStride = width * 4 + 12;
  const outputStride = width * 4 + 20;
  const positions = attentionPositions(count);
  const scratchBytes = attentionScratchBytes(headSize, positions);
  const attend = (
    kernels: Kernels,
    at: AddressOf,
    [first, tokenCount]: readonly [number, number],
    [head, headCount]: readonly [number, number],
  ): void => {
    int8Kernel(kernels, form)(
      at("queries") + first * queryStride + head * headSize * 4,
      queryStride,
      at("keys"),
      at("values"),
      cachePositions,
      headSize,
      headCount,
      position + first,
      tokenCount,
      window,
      scale,
      at("scratch"),
      positions,
      at("output") + first * outputStride + head * headSize * 4,
      outputStride,
    );
  };
  return {
    name: `${tokens} tokens at ${position}, ${heads} heads of ${headSize}${shape.window === undefined ? "" : `, a window of ${window}`}${queryFactor === 1 ? "" : `, queries · ${queryFactor}`}${extreme === true ? ", extremes" : ""}`,
    blocks: {
      queries: stridedRows(queries, queryStride),
      ...caches,
      scratch: unset(scratchBytes),
      output: unset(tokens * outputStride),
    },
    aligned: ["scratch"],
    scratch: ["scratch"],
    writes: { scratch: [[0, scratchBytes]], output: columnRanges(tokens, outputStride, 0, width) },
    ways: [
      (kernels, at) => attend(kernels, at, [0, tokens], [0, heads]),
      (kernels, at) => {
        for (let t = 0; t < tokens; t += 1) attend(kernels, at, [t, 1], [0, heads]);
      },
      (kernels, at) => {
        for (let head = 0; head < heads; head += 1) attend(kernels, at, [0, tokens], [head, 1]);
      },
    ],
    check(outcome): void {
      queries.forEach((queryRow, t) => {
        const end = position + t + 1;
        const first = Math.max(0, end - window);
        const [seenKeys, seenValues] = [keys.slice(first, end), values.slice(first, end)];
        for (let head = 0; head < heads; head += 1) {
          const query = queryRow.subarray(head * headSize, (head + 1) * headSize);
          const at = (t * outputStride) / 4 + head * headSize;
          const actual = outcome.floats("output").subarray(at, at + headSize);
          const what = `token ${t}, head ${head}, element`;
          requireSame(actual, int8Attention(query, seenKeys, seenValues, { first, scale }), what);
          requireSoftmax(actual, { query, seenKeys, seenValues, scale }, what);
        }
      });
    },
  };
}

/**
 * The result is near the softmax of the rounded numbers. Rounding weights moves each by half of a 16383rd of
 * the largest one. The exponential's error is below 3e-6, and that of scores grows with them.
 */
function requireSoftmax(
  actual: Float32Array,
  parts: {
    readonly query: Float32Array;
    readonly seenKeys: readonly Rounded[];
    readonly seenValues: readonly Rounded[];
    readonly scale: number;
  },
  what: string,
): void {
  const input = {
    query: roundedQuery(parts.query),
    keys: parts.seenKeys.map(numbersOf),
    values: parts.seenValues.map(numbersOf),
    scale: parts.scale,
  };
  const magnitude = attentionMagnitude(input);
  const largest = Math.max(...input.values.flatMap((value) => [...value].map(Math.abs)));
  const queryLength = Math.hypot(...input.query);
  const keyLength = Math.max(...input.keys.map((key) => Math.hypot(...key)));
  const relative = 1e-5 + queryLength * keyLength * parts.scale * 2 ** -20;
  const rounding = (largest * input.keys.length) / 2 / 16383;
  const within = (i: number): number => relative * valueAt(magnitude, i) + rounding;
  recordFigure(
    "int8 attention, error / bound",
    requireWithin(actual, attentionOutput(input), within, `softmax, ${what}`),
  );
}

/** The bytes of both caches. Positions past the end have noise, and scales that are NaN. */
function encode(
  keys: readonly Rounded[],
  values: readonly Rounded[],
  headSize: number,
  cachePositions: number,
): { readonly keys: Uint8Array; readonly values: Uint8Array } {
  const layout = int8Layout(headSize, cachePositions);
  const [keyBytes, valueBytes] = [unset(layout.keyBytes), unset(layout.valueBytes)];
  keyBytes.subarray(0, cachePositions * headSize).fill(127);
  const [keyView, valueView] = [new DataView(keyBytes.buffer), new DataView(valueBytes.buffer)];
  keys.forEach(({ codes, scales }, position) => {
    codes.forEach((code, k) => keyView.setUint8(layout.keyCode(position, k), code + 64));
    scales.forEach((scale, g) => keyView.setFloat32(layout.keyScale(position, g), scale, true));
  });
  values.forEach(({ codes, scales }, position) => {
    codes.forEach((code, k) => valueView.setInt8(layout.valueCode(position, k), code));
    valueView.setFloat32(layout.valueScale(position), valueAt(scales, 0), true);
  });
  return { keys: keyBytes, values: valueBytes };
}

const storeShapes = [
  ...[8, 16, 24, 32, 40, 64, 96, 104, 128, 256].map((headSize) => ({
    tokens: 3,
    heads: 2,
    headSize,
    position: 5,
  })),
  ...[0, 1, 17].map((tokens) => ({ tokens, heads: 3, headSize: 40, position: 0 })),
  ...[15, 16, 126, 127, 128].map((position) => ({ tokens: 3, heads: 1, headSize: 24, position })),
];

/** Keys or values into their cache. */
export function storeInt8Twin(which: "keys" | "values"): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(23);
      for (const shape of storeShapes) {
        const rows = Array.from({ length: shape.tokens }, () => numbers.floats(shape.heads * shape.headSize));
        yield storeCase(which, shape, rows, "");
      }
      const shape = { tokens: 2, heads: 2, headSize: 32, position: 3 };
      const special = [0, -0, 1e-30, -1e-38, 3e38, 1.5, -2.5, 0.5];
      const fill = (factor: number): Float32Array =>
        Float32Array.from({ length: 64 }, (_, k) => f32(valueAt(special, k % 8) * factor));
      yield storeCase(which, shape, [fill(0), fill(1)], ", zeros and extremes");
      // 63 and 127 are the largest codes, so these are halfway between codes.
      const most = which === "keys" ? 63 : 127;
      const halves = Float32Array.from({ length: 64 }, (_, k) => (k % 32 === 0 ? most : (k % 32) + 0.5));
      yield storeCase(which, shape, [halves, halves.map((value) => -value)], ", halfway");
    },
  };
}

function storeCase(
  which: "keys" | "values",
  shape: (typeof storeShapes)[number],
  rows: readonly Float32Array[],
  note: string,
): KernelCase {
  const { tokens, heads, headSize, position } = shape;
  const cachePositions = attentionPositions(position + tokens);
  const layout = int8Layout(headSize, cachePositions);
  const headStride = (which === "keys" ? layout.keyBytes : layout.valueBytes) + 28;
  const inputStride = heads * headSize * 4 + 12;
  const expected = rows.flatMap((row, t) =>
    Array.from({ length: heads }, (_, h) => {
      const { codes, scales } = (which === "keys" ? roundKey : roundValue)(
        row.subarray(h * headSize, (h + 1) * headSize),
      );
      const at = position + t;
      return [
        ...codes.map((code, k) =>
          which === "keys"
            ? { offset: layout.keyCode(at, k), bytes: 1, value: code + 64 }
            : { offset: layout.valueCode(at, k), bytes: 1, value: code },
        ),
        ...scales.map((scale, g) => ({
          offset: which === "keys" ? layout.keyScale(at, g) : layout.valueScale(at),
          bytes: 4,
          value: scale,
        })),
      ].map((item) => ({ ...item, offset: h * headStride + item.offset }));
    }).flat(),
  );
  const call = (
    kernels: Kernels,
    at: AddressOf,
    [first, count]: readonly [number, number],
    [begin, end]: readonly [number, number],
  ): void => {
    const store = which === "keys" ? kernels.store_keys_int8 : kernels.store_values_int8;
    const x = at("x") + first * inputStride;
    store(x, count, inputStride, begin, end, headSize, at("y"), headStride, cachePositions, position + first);
  };
  return {
    name: `${tokens} tokens at ${position}, ${heads} heads of ${headSize}${note}`,
    blocks: { x: stridedRows(rows, inputStride), y: unset(heads * headStride) },
    aligned: [],
    writes: {
      y: expected.map(({ offset, bytes }): ByteRange => [offset, offset + bytes]).sort(([a], [b]) => a - b),
    },
    ways: [
      (kernels, at) => call(kernels, at, [0, tokens], [0, heads]),
      (kernels, at) => {
        for (let t = 0; t < tokens; t += 1)
          for (let h = 0; h < heads; h += 1) call(kernels, at, [t, 1], [h, h + 1]);
      },
    ],
    check(outcome): void {
      const view = new DataView(outcome.bytes("y").buffer);
      const read = ({ offset, bytes }: { readonly offset: number; readonly bytes: number }): number => {
        if (bytes === 4) return view.getFloat32(offset, true);
        return which === "keys" ? view.getUint8(offset) : view.getInt8(offset);
      };
      requireSame(
        expected.map(read),
        // A code has no sign of zero.
        expected.map(({ value }) => value + 0),
        "code or scale",
      );
    },
  };
}
