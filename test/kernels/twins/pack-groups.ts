import type { Kernels } from "#dist/wasm/kernels.js";
import { weightFormatByName, type WeightFormat } from "#dist/weight-formats/index.js";
import { groupsOf, unpackGroupedCodes, wholeBlocks } from "../../reference/ternary-groups.js";
import { type AddressOf, type KernelCase, type KernelTwin, type Outcome, unset } from "../kernel-case.js";
import { createNumbers, type Numbers } from "../numbers.js";

/** A packer of ternary blocks. The test compares it with the definition of its format. */
interface BlockPacker {
  readonly format: WeightFormat;
  readonly groupSize: number;
  /** The offset of the scale, a half, in a block. */
  readonly scaleAt: number;
  /** Whether blocks may contain any byte, or no code 3. */
  readonly anyByte: boolean;
  readonly kernel: (kernels: Kernels, at: AddressOf, firstRow: number, rows: number, cols: number) => number;
}

function packer(
  name: string,
  groupSize: number,
  scaleAt: number,
  call: (kernels: Kernels, from: number, rows: number, cols: number, codes: number, scales: number) => number,
): BlockPacker {
  const format = weightFormatByName(name);
  if (format === undefined) throw new Error(`no format ${name}`);
  return {
    format,
    groupSize,
    scaleAt,
    anyByte: name !== "TQ2_0",
    kernel: (kernels, at, firstRow, rows, cols) =>
      call(
        kernels,
        at("blocks") + firstRow * format.tensorBytes(cols),
        rows,
        cols,
        at("codes") + (firstRow * wholeBlocks(cols)) / 4,
        at("scales") + firstRow * scaleBytes(cols, groupSize),
      ),
  };
}

function scaleBytes(cols: number, groupSize: number): number {
  return Math.ceil(groupsOf(cols, groupSize) / 4) * 16;
}

export const packTq10Twin: KernelTwin = twin(packer("TQ1_0", 128, 52, (k, ...rest) => k.pack_tq1_0(...rest)));
export const packTq20Twin: KernelTwin = twin(packer("TQ2_0", 128, 64, (k, ...rest) => k.pack_tq2_0(...rest)));
export const packQ10Twin: KernelTwin = twin(packer("Q1_0", 128, 0, (k, ...rest) => k.pack_q1_0(...rest)));
export const packQ20Twin: KernelTwin = twin(
  ...(
    [
      ["Q2_0", 64],
      ["Q2_0_G128", 128],
    ] as const
  ).map(([name, size]) =>
    packer(name, size, 0, (k, from, rows, cols, codes, scales) =>
      k.pack_q2_0(from, rows, cols, size, codes, scales),
    ),
  ),
);

function twin(...packers: readonly BlockPacker[]): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      for (const each of packers) yield* packCases(each);
    },
  };
}

function* packCases(each: BlockPacker): Iterable<KernelCase> {
  const { format } = each;
  const numbers = createNumbers(62);
  for (const blocks of [1, 2, 3, 5, 20]) {
    for (const rows of [0, 1, 4]) yield packCase(each, rows, blocks * format.blockElements, numbers);
  }
  yield damagedCase(each, "an infinite scale", [0x00, 0x7c], each.scaleAt, numbers);
  yield damagedCase(each, "a negative infinite scale", [0x00, 0xfc], each.scaleAt, numbers);
  yield damagedCase(each, "a scale that is no number", [0x01, 0x7e], each.scaleAt, numbers);
  if (each.anyByte) return;
  for (let byte = 0; byte < format.blockElements / 4; byte += 1)
    for (const shift of [0, 2, 4, 6])
      yield damagedCase(each, `a code 3 in byte ${byte}, bit ${shift}`, [3 << shift], byte, numbers);
}

function packCase(each: BlockPacker, rows: number, cols: number, numbers: Numbers): KernelCase {
  const { format, groupSize } = each;
  const blocks = randomBlocks(each, rows * cols, numbers);
  const codeBytes = wholeBlocks(cols) / 4;
  const rowScaleBytes = scaleBytes(cols, groupSize);
  return {
    name: `${format.name}, ${rows} × ${cols}`,
    blocks: { blocks, codes: unset(rows * codeBytes), scales: unset(rows * rowScaleBytes) },
    aligned: [],
    writes: { codes: [[0, rows * codeBytes]], scales: [[0, rows * rowScaleBytes]] },
    ways: [
      (kernels, at) => each.kernel(kernels, at, 0, rows, cols),
      (kernels, at) => {
        let bad = 0;
        for (let row = rows - 1; row >= 0; row -= 1) bad += each.kernel(kernels, at, row, 1, cols);
        return bad;
      },
    ],
    check(outcome): void {
      if (outcome.returned !== 0) throw new Error(`returned ${String(outcome.returned)}`);
      const expected = format.decode(blocks, rows * cols);
      for (let row = 0; row < rows; row += 1)
        checkRow(outcome, row, expected.subarray(row * cols, (row + 1) * cols), groupSize);
    },
  };
}

/**
 * A row's weights must equal the definition's. Groups of zeros and padding must have codes of zeros and no
 * scale.
 */
function checkRow(outcome: Outcome, row: number, expected: Float32Array, groupSize: number): void {
  const cols = expected.length;
  const codeBytes = wholeBlocks(cols) / 4;
  const codes = unpackGroupedCodes(
    outcome.bytes("codes").subarray(row * codeBytes, (row + 1) * codeBytes),
    wholeBlocks(cols),
  );
  const perRow = scaleBytes(cols, groupSize) / 4;
  const scales = outcome.floats("scales").subarray(row * perRow, (row + 1) * perRow);
  for (let group = 0; group < perRow; group += 1) {
    const begin = group * groupSize;
    const weights = codes.subarray(begin, begin + groupSize);
    const scale = scales[group] ?? NaN;
    weights.forEach((weight, k) => {
      const value = expected[begin + k] ?? 0;
      if (weight * scale !== value)
        throw new Error(`row ${row}, column ${begin + k} is ${weight * scale}, expected ${value}`);
    });
    if ((scale === 0) !== weights.every((weight) => weight === 0))
      throw new Error(`row ${row}, group ${group} has the scale ${scale} and weights [${weights.join(" ")}]`);
  }
}

function damagedCase(
  each: BlockPacker,
  what: string,
  bytes: readonly number[],
  at: number,
  numbers: Numbers,
): KernelCase {
  const { format, groupSize } = each;
  const cols = 2 * format.blockElements;
  const rows = 3;
  const blocks = randomBlocks(each, rows * cols, numbers);
  const bad = 3;
  bytes.forEach((byte, i) => (blocks[bad * format.tensorBytes(format.blockElements) + at + i] = byte));
  const codeBytes = rows * (cols / 4);
  const allScaleBytes = rows * scaleBytes(cols, groupSize);
  return {
    name: `${format.name}, ${what}`,
    blocks: { blocks, codes: unset(codeBytes), scales: unset(allScaleBytes) },
    aligned: [],
    scratch: ["codes", "scales"],
    writes: { codes: [[0, codeBytes]], scales: [[0, allScaleBytes]] },
    ways: [(kernels, address) => each.kernel(kernels, address, 0, rows, cols)],
    check(outcome): void {
      if (outcome.returned !== bad + 1)
        throw new Error(`returned ${String(outcome.returned)}, expected ${bad + 1}`);
      let refusal: unknown;
      try {
        format.decode(blocks, rows * cols);
      } catch (error) {
        refusal = error;
      }
      if (refusal === undefined) throw new Error("the definition takes it");
    },
  };
}

/** Blocks of noise, some of them all zeros, with scales of every kind: usual, negative, subnormal, zero. */
function randomBlocks(
  { format, scaleAt, anyByte }: BlockPacker,
  count: number,
  numbers: Numbers,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(format.tensorBytes(count));
  const blockBytes = format.tensorBytes(format.blockElements);
  const zero = format.encode?.(
    format.name === "Q1_0"
      ? new Float32Array(format.blockElements).fill(1)
      : new Float32Array(format.blockElements),
  );
  for (let begin = 0; begin < bytes.length; begin += blockBytes) {
    const codes = anyByte
      ? numbers.noise(blockBytes)
      : Uint8Array.from({ length: blockBytes }, () =>
          [0, 2, 4, 6].reduce((byte, shift) => byte | (numbers.whole(0, 2) << shift), 0),
        );
    bytes.set(numbers.whole(0, 5) === 0 ? (zero ?? codes) : codes, begin);
    const half = [
      numbers.whole(0x1c00, 0x3c00),
      numbers.whole(0x9c00, 0xbc00),
      numbers.whole(1, 0x3ff),
      0,
      0x8000,
      0x7bff,
    ][numbers.whole(0, 5)] as number;
    bytes[begin + scaleAt] = half & 0xff;
    bytes[begin + scaleAt + 1] = half >> 8;
  }
  return bytes;
}
