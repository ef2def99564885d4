import { BitNetError } from "../errors.js";
import type { TensorInfo } from "../files/model-file.js";
import type { ByteSource } from "../platform/byte-source.js";
import { bfloat16ToNumber } from "../weight-formats/bf16.js";
import { f16 } from "../weight-formats/f16.js";
import { numberToFloat16 } from "../weight-formats/float16.js";
import { madeSource } from "./made-source.js";

/** The embedding, and the head if it is separate. */
const tables = ["token_embd.weight", "output.weight"];

/**
 * The tensors of a ternary model, with embedding and head in F16, as `convert` writes them and the model's
 * GGUF file has them. Large heads are read fastest in F16. Other models keep their types.
 */
export function withHalfTables(tensors: ReadonlyMap<string, TensorInfo>): ReadonlyMap<string, TensorInfo> {
  if (![...tensors.values()].some(({ format }) => format?.ternary)) return tensors;
  const changed = new Map(tensors);
  for (const name of tables) {
    const tensor = tensors.get(name);
    if (tensor?.type === "BF16" || tensor?.type === "F32") changed.set(name, halfTensor(tensor));
  }
  return changed;
}

function halfTensor(tensor: TensorInfo): TensorInfo {
  const bytes = f16.tensorBytes(tensor.shape.reduce((product, size) => product * size, 1));
  return {
    ...tensor,
    type: f16.name,
    typeId: f16.id,
    format: f16,
    source: halfSource(tensor),
    offset: 0,
    bytes,
  };
}

function halfSource(tensor: TensorInfo): ByteSource {
  const { source, offset, format, shape, type } = tensor;
  const [cols = 0, rows = 0] = shape;
  const rowBytes = tensor.bytes / rows;
  return madeSource({
    name: source.name,
    units: rows,
    unitBytes: cols * 2,
    async make(first, target) {
      const count = target.length / (cols * 2);
      const stored = await source.read(offset + first * rowBytes, count * rowBytes);
      const halves =
        type === "BF16"
          ? fromPatterns(new Uint16Array(stored.buffer, stored.byteOffset, count * cols))
          : fromFloats(format?.decode(stored, count * cols) ?? new Float32Array());
      const beyond = firstBeyond(halves);
      if (beyond !== undefined) {
        const [value] = format?.decode(stored, count * cols).subarray(beyond) ?? [];
        throw beyondHalves(tensor, first * cols + beyond, value);
      }
      target.set(new Uint8Array(halves.buffer, halves.byteOffset, halves.byteLength));
    },
  });
}

function fromFloats(values: Float32Array): Uint16Array {
  const bytes = f16.encode?.(values) ?? new Uint8Array();
  return new Uint16Array(bytes.buffer, bytes.byteOffset, values.length);
}

/** The half of each BF16 pattern. Made once, because an embedding has hundreds of millions of numbers. */
let halfOfPattern: Uint16Array | undefined;

function fromPatterns(patterns: Uint16Array): Uint16Array {
  const table = (halfOfPattern ??= Uint16Array.from({ length: 65_536 }, (_, bits) =>
    numberToFloat16(bfloat16ToNumber(bits)),
  ));
  const halves = new Uint16Array(patterns.length);
  // By index, here and below: a call for each weight takes ten times as long.
  for (let index = 0; index < halves.length; index += 1)
    halves[index] = table[patterns[index] as number] as number;
  return halves;
}

/** Index of the first number that is infinite or NaN. */
function firstBeyond(halves: Uint16Array): number | undefined {
  for (let index = 0; index < halves.length; index += 1) {
    if (((halves[index] as number) & 0x7c00) === 0x7c00) return index;
  }
  return undefined;
}

function beyondHalves({ name, source }: TensorInfo, index: number, value: number | undefined): BitNetError {
  if (!Number.isFinite(value)) {
    return new BitNetError(
      "FILE_CORRUPT",
      `Cannot read "${source.name}": tensor "${name}" is damaged: element ${index} is not a finite number`,
      { details: { tensor: name, index } },
    );
  }
  return new BitNetError(
    "UNSUPPORTED_TENSOR_TYPE",
    `Cannot read "${source.name}": weight ${index} of tensor "${name}" is beyond 65504, the largest half, and the embedding and head of a ternary model are kept as halves; convert the checkpoint with --head-type bf16`,
    { details: { tensor: name, index } },
  );
}
