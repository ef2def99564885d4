import { blockFormat } from "./block-format.js";
import type { AffineGroups, WeightFormat } from "./weight-format.js";

const float32 = Math.fround;

/** The layout of a block whose weights are integer codes with a scale and a minimum per group. */
export interface AffineLayout {
  readonly name: string;
  readonly id: number;
  readonly blockElements: number;
  readonly blockBytes: number;
  /** Weights that share a scale and a minimum. */
  readonly groupElements: 16 | 32;
  /**
   * Reads the block at `bytes[at]`: one code per weight, one scale and one minimum per group.
   * `minimums` is all zeros before the call.
   */
  readBlock(bytes: Uint8Array, at: number, block: AffineGroups): void;
  /** As `BlockLayout.encodeBlock`; absent for formats that are only read. */
  readonly encodeBlock?: (values: Float32Array, bytes: Uint8Array, at: number) => void;
}

/** The format of such blocks: w = scale · code − minimum, each step rounded to float32 as GGML does. */
export function affineFormat(layout: AffineLayout): WeightFormat {
  const { name, id, blockElements, blockBytes, groupElements, encodeBlock } = layout;
  const groups = blockElements / groupElements;
  const block: AffineGroups = {
    codes: new Int8Array(blockElements),
    scales: new Float32Array(groups),
    minimums: new Float32Array(groups),
  };
  const format = blockFormat({
    name,
    id,
    blockElements,
    blockBytes,
    ternary: false,
    decodeBlock(bytes, at, values) {
      block.minimums.fill(0);
      layout.readBlock(bytes, at, block);
      for (let index = 0; index < blockElements; index += 1) {
        const group = Math.floor(index / groupElements);
        const product = float32((block.scales[group] as number) * (block.codes[index] as number));
        values[index] = product - (block.minimums[group] as number);
      }
    },
    ...(encodeBlock === undefined ? {} : { encodeBlock }),
  });
  return {
    ...format,
    affine: {
      groupElements,
      readGroups(bytes, into) {
        for (let at = 0, first = 0; at < bytes.length; at += blockBytes, first += blockElements) {
          const group = first / groupElements;
          const minimums = into.minimums.subarray(group, group + groups);
          minimums.fill(0);
          layout.readBlock(bytes, at, {
            codes: into.codes.subarray(first, first + blockElements),
            scales: into.scales.subarray(group, group + groups),
            minimums,
          });
        }
      },
    },
  };
}
