import { BitNetError } from "../errors.js";
import type { SafetensorsTensor } from "../files/safetensors.js";
import type { TernaryMatrix } from "./ternary-source.js";

const fields = 0x0303_0303;

/**
 * Ternary weights as transformers packs them: uint8 [rows / 4, cols], see weight-formats/hf-packed.ts.
 *
 * Rows that share bytes lie a quarter of the matrix apart. So the packed bytes are read once and kept while
 * the matrix is read: a quarter of a byte per weight.
 *
 * @param scale d, by the checkpoint's convention
 */
export function packedMatrix(tensor: SafetensorsTensor, scale: () => Promise<number>): TernaryMatrix {
  const [packedRows = 0, cols = 0] = tensor.shape;
  const rows = packedRows * 4;
  const words = cols / 4;
  let held: Promise<Uint32Array> | undefined;

  return {
    name: tensor.source.name,
    rows,
    cols,
    scale,
    async load(_, end) {
      held ??= readPacked(tensor);
      const packed = await held.catch((error: unknown) => {
        held = undefined;
        throw error;
      });
      // A second read of the matrix starts again.
      if (end === rows) held = undefined;
      return (row, target) => {
        const shift = 2 * Math.floor(row / packedRows);
        const begin = (row % packedRows) * words;
        // Both sides have a row in runs of 128 weights. A word holds the fields of four weights, 32 apart in
        // I2_S.
        for (let at = 0; at < words; at += 32) {
          for (let word = 0; word < 8; word += 1) {
            const from = begin + at + word;
            const made =
              ((((packed[from] as number) >>> shift) & fields) << 6) |
              ((((packed[from + 8] as number) >>> shift) & fields) << 4) |
              ((((packed[from + 16] as number) >>> shift) & fields) << 2) |
              (((packed[from + 24] as number) >>> shift) & fields);
            const to = at + 4 * word;
            target[to] = made;
            target[to + 1] = made >>> 8;
            target[to + 2] = made >>> 16;
            target[to + 3] = made >>> 24;
          }
        }
      };
    },
  };
}

/** All bytes of the tensor, checked for code 3, which is invalid. */
async function readPacked({ name, source, offset, bytes }: SafetensorsTensor): Promise<Uint32Array> {
  const packed = await source.read(offset, bytes);
  const words = new Uint32Array(packed.buffer, packed.byteOffset, bytes / 4);
  for (const word of words) {
    if ((word & (word >>> 1) & 0x5555_5555) === 0) continue;
    const at = packed.findIndex((byte) => (byte & (byte >>> 1) & 0x55) !== 0);
    throw new BitNetError(
      "FILE_CORRUPT",
      `Cannot read "${source.name}": tensor ${JSON.stringify(name)} is damaged at byte ${offset + at}: it holds a code 3, ` +
        "which stands for no ternary weight",
      { details: { offset: offset + at, tensor: name } },
    );
  }
  return words;
}
