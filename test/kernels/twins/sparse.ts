import { type DotForm, listedTernaryKernel } from "#dist/wasm/dot-forms.js";
import { ternaryScratchBytes, transposeScratchBytes } from "#dist/wasm/kernels.js";
import { at as valueAt, f32 } from "../../reference/float32.js";
import { relu2Gate } from "../../reference/gates.js";
import { packTernaryRows, ternaryOutput } from "../../reference/ternary.js";
import {
  bytesOf,
  type ByteRange,
  type KernelCase,
  type KernelTwin,
  requireSame,
  unset,
  type Way,
} from "../kernel-case.js";
import { createNumbers, type Numbers } from "../numbers.js";

/** Fractions of nonzero activations. */
const densities = [0, 0.1, 0.5, 1];

/** Some of the numbers from begin to end, in order. */
function someOf(begin: number, end: number, density: number, numbers: Numbers): number[] {
  const all = Array.from({ length: end - begin }, (_, i) => begin + i);
  return all.filter(() => numbers.whole(0, 999) < density * 1000);
}

function sumOf(values: Int8Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function recordOf(values: Int8Array, scale: number): Uint8Array {
  return bytesOf(Float32Array.of(scale), Int32Array.of(sumOf(values)));
}

export const listPositiveTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(5);
    const special = Float32Array.of(0, -0, NaN, 1, -1, Infinity, -Infinity, 2 ** -149);
    for (const values of [special, ...[0, 4, 8, 60, 6912].map((count) => numbers.floats(count))]) {
      for (const begin of new Set([0, Math.min(4, values.length)])) {
        const end = values.length;
        const expected = Array.from(values.keys()).filter((k) => k >= begin && !(valueAt(values, k) <= 0));
        yield {
          name: `${begin} to ${end}${values === special ? ", special values" : ""}`,
          blocks: { values: bytesOf(values), list: unset((end - begin) * 4) },
          aligned: [],
          writes: { list: [[0, (end - begin) * 4]] },
          ways: [(kernels, at) => kernels.list_positive(at("values"), begin, end, at("list"))],
          check(outcome): void {
            requireSame([outcome.returned ?? NaN], [expected.length], "count");
            requireSame(outcome.ints("list").subarray(0, expected.length), expected, "place");
          },
        };
      }
    }
  },
};

export const listNonzeroTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(6);
    for (const count of [0, 16, 48, 6912]) {
      for (const density of densities) {
        const values = new Int8Array(count);
        const expected = someOf(0, count, density, numbers);
        for (const k of expected)
          values[k] = numbers.whole(0, 1) === 0 ? numbers.whole(1, 127) : numbers.whole(-128, -1);
        yield {
          name: `${count}, ${density} of them`,
          blocks: { values: bytesOf(values), list: unset(count * 4) },
          aligned: [],
          writes: { list: [[0, count * 4]] },
          ways: [(kernels, at) => kernels.list_nonzero(at("values"), count, at("list"))],
          check(outcome): void {
            requireSame([outcome.returned ?? NaN], [expected.length], "count");
            requireSame(outcome.ints("list").subarray(0, expected.length), expected, "place");
          },
        };
      }
    }
  },
};

export const relu2ListedTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(7);
    for (const count of [0, 4, 20, 6912]) {
      const gate = numbers.floats(count);
      // Where the gate is not positive, `up` may hold anything. The kernel must not read it.
      const up = numbers.floats(count).map((value, k) => (valueAt(gate, k) > 0 ? value : NaN));
      yield {
        name: `${count}`,
        blocks: { gate: bytesOf(gate), up: bytesOf(up) },
        aligned: [],
        writes: { gate: [[0, count * 4]] },
        ways: [
          (kernels, at) => kernels.gate_relu2_listed(at("gate"), at("up"), 0, count),
          (kernels, at) => {
            const middle = Math.floor(count / 8) * 4;
            kernels.gate_relu2_listed(at("gate"), at("up"), middle, count);
            kernels.gate_relu2_listed(at("gate"), at("up"), 0, middle);
          },
        ],
        check(outcome): void {
          const expected = gate.map((value, k) => (value > 0 ? relu2Gate(value, valueAt(up, k)) : 0));
          requireSame(outcome.floats("gate"), expected, "column");
        },
      };
    }
  },
};

/** Transposes [rows, cols] to [cols, rows]. */
function transposed(weights: Int8Array, rows: number, cols: number): Int8Array {
  return Int8Array.from(weights, (_, i) => valueAt(weights, (i % rows) * cols + Math.floor(i / rows)));
}

export const transposeTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(8);
    for (const [rows, cols] of [
      [128, 128],
      [256, 384],
      [384, 128],
    ] as const) {
      const weights = numbers.ternary(rows * cols);
      yield {
        name: `${rows} × ${cols}`,
        blocks: {
          weights: packTernaryRows(weights),
          columns: unset((rows * cols) / 4),
          scratch: unset(transposeScratchBytes),
        },
        aligned: ["weights", "columns", "scratch"],
        scratch: ["scratch"],
        writes: { columns: [[0, (rows * cols) / 4]], scratch: [[0, transposeScratchBytes]] },
        ways: [
          (kernels, at) =>
            kernels.transpose_ternary(at("weights"), rows, cols, 0, rows, at("columns"), at("scratch")),
          (kernels, at) => {
            for (let row = rows - 128; row >= 0; row -= 128) {
              kernels.transpose_ternary(
                at("weights"),
                rows,
                cols,
                row,
                row + 128,
                at("columns"),
                at("scratch"),
              );
            }
          },
        ],
        check(outcome): void {
          requireSame(outcome.bytes("columns"), packTernaryRows(transposed(weights, rows, cols)), "byte");
        },
      };
    }
  },
};

export const columnsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(9);
    // Groups of eight columns, and their remainders. The kernel adds up 15 groups before it widens sums.
    for (const cols of [0, 16, 128, 144, 6912]) {
      for (const density of densities) {
        const values = new Int8Array(cols);
        for (const k of someOf(0, cols, density, numbers)) values[k] = numbers.whole(-128, 127);
        yield columnsCase(numbers.ternary(256 * cols), values, numbers, `${density} of ${cols}`);
      }
    }
    for (const weight of [-1, 1]) {
      for (const activation of [-128, 127]) {
        const values = new Int8Array(1024).fill(activation);
        const weights = new Int8Array(256 * 1024).fill(weight);
        yield columnsCase(weights, values, numbers, `all ${weight} · ${activation}`);
      }
    }
  },
};

/** The middle 256 of 512 rows. */
function columnsCase(middle: Int8Array, values: Int8Array, numbers: Numbers, name: string): KernelCase {
  const cols = values.length;
  const rows = 512;
  const [begin, end] = [128, 384];
  const weights = numbers.ternary(rows * cols);
  weights.set(middle, begin * cols);
  const list = Uint16Array.from(values.keys()).filter((k) => values[k] !== 0);
  const token = { values, scale: f32(numbers.whole(1, 4000) / 7) };
  const scale = f32(0.0371);
  const accumulate = list.length % 2;
  const before = numbers.floats(rows);
  const scratchBytes = 16 + 6 * (end - begin);
  const ranges: ByteRange[] = [[begin * 4, end * 4]];
  return {
    name,
    blocks: {
      weights: packTernaryRows(transposed(weights, rows, cols)),
      values: bytesOf(values),
      list: bytesOf(Int32Array.from(list)),
      record: recordOf(values, token.scale),
      output: accumulate ? bytesOf(before) : unset(rows * 4),
      scratch: unset(scratchBytes),
    },
    aligned: ["weights", "values", "scratch"],
    scratch: ["scratch"],
    writes: { output: ranges, scratch: [[0, scratchBytes]] },
    ways: [
      [[begin, end]],
      [
        [256, end],
        [begin, 256],
      ],
    ].map((parts): Way => (kernels, at) => {
      for (const [from = 0, to = 0] of parts) {
        // prettier-ignore
        kernels.matmul_ternary_columns_i8(
            at("weights"), rows, from, to, at("values"), at("list"), list.length, at("record"), at("output"), at("scratch"),
            scale, accumulate,
          );
      }
    }) as readonly Way[] as KernelCase["ways"],
    check(outcome): void {
      const expected = Float32Array.from({ length: end - begin }, (_, i) => {
        const value = ternaryOutput(weights, begin + i, token, scale);
        return accumulate ? valueAt(before, begin + i) + value : value;
      });
      requireSame(outcome.floats("output").subarray(begin, end), expected, "row");
    },
  };
}

export function listedTwin(form: DotForm): KernelTwin {
  return {
    onlyInRelaxed: form !== "i8",
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(10);
      for (const cols of [128, 1152, 6912]) {
        for (const density of densities)
          yield listedCase(form, cols, someOf(0, 37, density, numbers), numbers);
      }
    },
  };
}

function listedCase(form: DotForm, cols: number, list: readonly number[], numbers: Numbers): KernelCase {
  const rows = 37;
  const weights = numbers.ternary(rows * cols);
  const values = numbers.bytes(cols);
  const token = { values, scale: f32(numbers.whole(1, 4000) / 7) };
  const scale = f32(0.0371);
  return {
    name: `${list.length} of ${rows} × ${cols}`,
    blocks: {
      weights: packTernaryRows(weights),
      values: bytesOf(values),
      list: bytesOf(Int32Array.from(list)),
      record: recordOf(values, token.scale),
      output: unset(rows * 4),
      scratch: unset(ternaryScratchBytes),
    },
    aligned: ["weights", "values", "scratch"],
    scratch: ["scratch"],
    writes: {
      output: list.map((row): ByteRange => [row * 4, row * 4 + 4]),
      scratch: [[0, ternaryScratchBytes]],
    },
    ways: [0, 3].map((cut): Way => (kernels, at) => {
      const first = Math.min(cut, list.length);
      for (const [from, count] of [
        [first, list.length - first],
        [0, first],
      ] as const) {
        // prettier-ignore
        listedTernaryKernel(kernels, form)(
          at("weights"), cols, at("list") + from * 4, count, at("values"), at("record"), at("output"), at("scratch"), scale,
        );
      }
    }) as readonly Way[] as KernelCase["ways"],
    check(outcome): void {
      const actual = outcome.floats("output");
      requireSame(
        list.map((row) => valueAt(actual, row)),
        list.map((row) => ternaryOutput(weights, row, token, scale)),
        "listed row",
      );
    },
  };
}
