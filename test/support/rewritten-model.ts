import { readFileSync } from "node:fs";
import { openGguf } from "#dist/files/gguf.js";
import { type GgufValue, planTensor, writableMetadata, writeGguf } from "#dist/files/gguf-writer.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import type { WeightFormat } from "#dist/weight-formats/index.js";
import { memorySink } from "./memory-sink.js";

/** A tensor to write: its own bytes, or values in a format. */
export interface EditedTensor {
  readonly shape: readonly number[];
  readonly typeId: number;
  readonly data: Uint8Array;
}

export interface Edit {
  readonly metadata: Map<string, GgufValue>;
  readonly tensors: Map<string, EditedTensor>;
}

/** Reads a GGUF file, changes it, and writes it again. */
export async function rewriteModel(
  model: string | Uint8Array,
  edit: (parts: Edit) => void,
): Promise<Uint8Array> {
  const bytes = typeof model === "string" ? readFileSync(model) : model;
  const file = await openGguf(bytesSource(bytes));
  const parts: Edit = {
    metadata: new Map(writableMetadata(file)),
    tensors: new Map(
      [...file.tensors.values()].map(({ name, shape, typeId, offset, bytes: length }) => [
        name,
        { shape, typeId, data: bytes.subarray(offset, offset + length) },
      ]),
    ),
  };
  edit(parts);
  const sink = memorySink();
  const plans = [...parts.tensors].map(([name, { shape, typeId, data }]) => ({
    name,
    shape,
    typeId,
    bytes: data.length,
  }));
  await writeGguf(sink, { metadata: parts.metadata, tensors: plans }, async (write) => {
    for (const [name, { data }] of parts.tensors) await write(name, data);
  });
  const written = sink.committed();
  if (written === undefined) throw new Error("nothing was written");
  return written;
}

/** Values in a format, as a tensor to write. */
export function encodeTensor(
  format: WeightFormat,
  shape: readonly number[],
  values: Float32Array,
): EditedTensor {
  if (format.encode === undefined) throw new Error(`${format.name} cannot be written`);
  return { shape, typeId: planTensor("", shape, format).typeId, data: format.encode(values) };
}
