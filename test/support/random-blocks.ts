import { numberToFloat16 } from "#dist/weight-formats/float16.js";
import type { WeightFormat } from "#dist/weight-formats/index.js";
import type { Numbers } from "../kernels/numbers.js";

// Random weights in formats that are only read: random codes, and scales that give a wanted deviation.

/** The scale of a block, and the minimum that centres its weights on zero. */
interface BlockScales {
  /** Byte of the scale, a half. Or of the exponent of a power of two. */
  readonly at: number;
  readonly exponent?: true;
  /** Byte of the minimum, a half, and its ratio to the scale. */
  readonly minimum?: { readonly at: number; readonly ratio: number };
}

const scalesOf: Readonly<Record<string, BlockScales>> = {
  Q4_1: { at: 0, minimum: { at: 2, ratio: -7.5 } },
  Q5_1: { at: 0, minimum: { at: 2, ratio: -15.5 } },
  Q2_K: { at: 80, minimum: { at: 82, ratio: 1.5 } },
  Q3_K: { at: 108 },
  Q5_K: { at: 0, minimum: { at: 2, ratio: 15.5 } },
  IQ4_NL: { at: 0 },
  IQ4_XS: { at: 0 },
  MXFP4: { at: 0, exponent: true },
};

/** Formats that are only read, by name. */
export const readOnlyFormats: readonly string[] = Object.keys(scalesOf);

/** The bytes of `count` weights around zero. Each block has a scale of its own. */
export function randomBlocks(
  format: WeightFormat,
  count: number,
  deviation: number,
  numbers: Numbers,
): Uint8Array {
  const scales = scalesOf[format.name];
  if (scales === undefined) throw new Error(`no random blocks of ${format.name} are known`);
  const blockBytes = format.tensorBytes(format.blockElements);
  const bytes = Uint8Array.from({ length: format.tensorBytes(count) }, () => numbers.whole(0, 255));
  const data = new DataView(bytes.buffer);
  const setScales = (scaleOf: () => number): void => {
    for (let block = 0; block < bytes.length; block += blockBytes) {
      const scale = scaleOf();
      if (scales.exponent) bytes[block + scales.at] = 127 + Math.round(Math.log2(scale));
      else data.setUint16(block + scales.at, numberToFloat16(scale), true);
      const { minimum } = scales;
      if (minimum) data.setUint16(block + minimum.at, numberToFloat16(scale * minimum.ratio), true);
    }
  };
  setScales(() => 1);
  const square = format.decode(bytes, count).reduce((sum, value) => sum + value * value, 0);
  const unit = deviation / Math.sqrt(square / count);
  setScales(() => unit * (0.5 + numbers.whole(0, 1000) / 1000));
  return bytes;
}
