import type { Kernels } from "#dist/wasm/kernels.js";
import { float16ToNumber } from "#dist/weight-formats/float16.js";
import { tq10 } from "#dist/weight-formats/tq1-0.js";
import { base3RowBytes, packBase3Row, unpackBase3Row } from "../../reference/base3.js";
import { f32 } from "../../reference/float32.js";
import { packGroupedCodes, wholeBlocks } from "../../reference/ternary-groups.js";
import {
  type AddressOf,
  bytesOf,
  type KernelCase,
  type KernelTwin,
  requireSame,
  unset,
} from "../kernel-case.js";
import { createNumbers, type Numbers } from "../numbers.js";

/** Bytes of scratch for a row's digits. */
const scratchBytes = (cols: number): number => base3RowBytes(cols) * 5 + 128;

export const packBase3Twin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(71);
    for (const cols of [0, 20, 128, 160, 256, 640, 700, 2560, 6912]) {
      for (const rows of [0, 1, 4]) yield packCase(rows, cols, numbers);
    }
  },
};

function packCase(rows: number, cols: number, numbers: Numbers): KernelCase {
  const weights = Array.from({ length: rows }, () => numbers.ternary(cols));
  const rowBytes = base3RowBytes(cols);
  const call = (kernels: Kernels, at: AddressOf, row: number, count: number): void => {
    const from = at("codes") + (row * wholeBlocks(cols)) / 4;
    kernels.pack_base3(from, count, cols, at("to") + row * rowBytes, at("scratch"));
  };
  return {
    name: `${rows} × ${cols}`,
    blocks: {
      codes: bytesOf(...weights.map(packGroupedCodes)),
      to: unset(rows * rowBytes),
      scratch: unset(scratchBytes(cols)),
    },
    aligned: [],
    scratch: ["scratch"],
    writes: { to: [[0, rows * rowBytes]], scratch: [[0, scratchBytes(cols)]] },
    ways: [
      (kernels, at) => call(kernels, at, 0, rows),
      (kernels, at) => {
        for (let row = rows - 1; row >= 0; row -= 1) call(kernels, at, row, 1);
      },
    ],
    check(outcome): void {
      // Two-bit rows are filled up with weights of zero as far as whole blocks of 128.
      const expected = weights.map((row) => {
        const filled = new Int8Array(Math.min(wholeBlocks(cols), rowBytes * 5));
        filled.set(row);
        return packBase3Row(filled).subarray(0, rowBytes);
      });
      requireSame(outcome.bytes("to"), bytesOf(...expected), "byte");
    },
  };
}

export const packBase3Tq10Twin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(72);
    for (const blocks of [1, 2, 3, 5, 20])
      for (const rows of [0, 1, 4]) yield tq10Case(rows, blocks * 256, numbers);
    for (const [what, half] of [
      ["an infinite scale", 0x7c00],
      ["a negative infinite scale", 0xfc00],
      ["a scale that is no number", 0x7e01],
    ] as const)
      yield damagedCase(what, half, numbers);
  },
};

/** Blocks of noise, some of them all zeros, with scales of every kind: usual, negative, subnormal, zero. */
function randomBlocks(count: number, numbers: Numbers): Uint8Array {
  const blocks = Array.from({ length: count }, () => {
    const zeros = tq10.encode?.(new Float32Array(256)) ?? new Uint8Array();
    const block = numbers.whole(0, 5) === 0 ? zeros : numbers.noise(54);
    const half = [
      numbers.whole(0x1c00, 0x3c00),
      numbers.whole(0x9c00, 0xbc00),
      numbers.whole(1, 0x3ff),
      0,
      0x8000,
      0x7bff,
    ][numbers.whole(0, 5)] as number;
    block.set([half & 0xff, half >> 8], 52);
    return block;
  });
  return bytesOf(...blocks);
}

function tq10Case(rows: number, cols: number, numbers: Numbers): KernelCase {
  const perRow = cols / 256;
  const blocks = randomBlocks(rows * perRow, numbers);
  const rowBytes = base3RowBytes(cols);
  const call = (kernels: Kernels, at: AddressOf, row: number, count: number): number =>
    kernels.pack_base3_tq1_0(
      at("blocks") + row * perRow * 54,
      count,
      cols,
      at("to") + row * rowBytes,
      at("scales") + row * perRow * 2,
      at("scratch"),
    );
  return {
    name: `${rows} × ${cols}`,
    blocks: {
      blocks,
      to: unset(rows * rowBytes),
      scales: unset(rows * perRow * 2),
      scratch: unset(rowBytes * 5),
    },
    aligned: [],
    scratch: ["scratch"],
    writes: { to: [[0, rows * rowBytes]], scales: [[0, rows * perRow * 2]], scratch: [[0, rowBytes * 5]] },
    ways: [
      (kernels, at) => call(kernels, at, 0, rows),
      (kernels, at) => {
        let bad = 0;
        for (let row = rows - 1; row >= 0; row -= 1) bad += call(kernels, at, row, 1);
        return bad;
      },
    ],
    check(outcome): void {
      if (outcome.returned !== 0) throw new Error(`returned ${String(outcome.returned)}`);
      const expected = tq10.decode(blocks, rows * cols);
      const scales = new Uint16Array(outcome.bytes("scales").buffer);
      for (let row = 0; row < rows; row += 1) {
        const weights = unpackBase3Row(outcome.bytes("to").subarray(row * rowBytes, (row + 1) * rowBytes));
        for (let k = 0; k < weights.length; k += 1) {
          const half = scales[row * perRow + Math.floor(k / 256)] ?? 0;
          const weight = weights[k] ?? NaN;
          const value = k < cols ? (expected[row * cols + k] ?? NaN) : -1;
          if (k >= cols ? weight !== -1 : weight * float16ToNumber(half) !== value)
            throw new Error(`row ${row}, column ${k} is ${weight} · ${half}, expected ${value}`);
          if (k < cols && half === 0 && weight !== 0)
            throw new Error(`row ${row}, column ${k} is ${weight} in a block of zeros`);
        }
      }
    },
  };
}

function damagedCase(what: string, half: number, numbers: Numbers): KernelCase {
  const [rows, cols, bad] = [3, 512, 3];
  const blocks = randomBlocks((rows * cols) / 256, numbers);
  blocks.set([half & 0xff, half >> 8], bad * 54 + 52);
  const sizes = { to: rows * base3RowBytes(cols), scales: 12, scratch: base3RowBytes(cols) * 5 };
  return {
    name: what,
    blocks: { blocks, to: unset(sizes.to), scales: unset(sizes.scales), scratch: unset(sizes.scratch) },
    aligned: [],
    scratch: ["to", "scales", "scratch"],
    writes: { to: [[0, sizes.to]], scales: [[0, sizes.scales]], scratch: [[0, sizes.scratch]] },
    ways: [
      (kernels, at) =>
        kernels.pack_base3_tq1_0(at("blocks"), rows, cols, at("to"), at("scales"), at("scratch")),
    ],
    check(outcome): void {
      if (outcome.returned !== bad + 1)
        throw new Error(`returned ${String(outcome.returned)}, expected ${bad + 1}`);
    },
  };
}

const rows = 3;

export const rowBase3Twin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(73);
    const scale = f32(0.0371);
    for (const cols of [0, 32, 160, 256, 2560]) {
      const weights = Array.from({ length: rows }, () => numbers.ternary(cols));
      for (const row of [0, 2]) {
        yield {
          name: `row ${row} of ${rows} × ${cols}`,
          blocks: { weights: bytesOf(...weights.map(packBase3Row)), output: unset(cols * 4) },
          aligned: [],
          writes: { output: [[0, cols * 4]] },
          ways: [(kernels, at) => kernels.row_base3(at("weights"), cols, row, scale, at("output"))],
          check: (outcome) =>
            requireSame(
              outcome.floats("output"),
              Float32Array.from(weights[row] ?? [], (weight) => weight * scale),
              "column",
            ),
        };
      }
    }
  },
};

export const rowBase3GroupsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(74);
    for (const [cols, scale] of [
      [0, 1],
      [256, f32(0.3)],
      [768, 1],
      [2560, 1],
    ] as const) {
      const weights = Array.from({ length: rows }, () => numbers.ternary(cols));
      const halves = Array.from({ length: rows }, () =>
        Uint16Array.from({ length: cols / 256 }, () => numbers.whole(0, 0x7bff)),
      );
      for (const row of [0, 2]) {
        yield {
          name: `row ${row} of ${rows} × ${cols}`,
          blocks: {
            weights: bytesOf(...weights.map(packBase3Row)),
            scales: bytesOf(...halves),
            output: unset(cols * 4),
          },
          aligned: [],
          writes: { output: [[0, cols * 4]] },
          ways: [
            (kernels, at) =>
              kernels.row_base3_groups(at("weights"), at("scales"), cols, row, scale, at("output")),
          ],
          check(outcome): void {
            const expected = Float32Array.from(
              weights[row] ?? [],
              (weight, k) => weight * f32(float16ToNumber(halves[row]?.[Math.floor(k / 256)] ?? NaN) * scale),
            );
            requireSame(outcome.floats("output"), expected, "column");
          },
        };
      }
    }
  },
};
