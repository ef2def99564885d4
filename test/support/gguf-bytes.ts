/**
 * GGUF files built field by field, with any faults. The code is independent of src/files/gguf-writer.ts, so
 * that the reader's tests do not rely on the writer.
 */

export type Part = Uint8Array | string | number[] | Part[];

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function u64(value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  return bytes;
}

export function f32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return bytes;
}

/** A string after its length. */
export function text(value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return join([u64(bytes.length), bytes]);
}

export function join(parts: Part): Uint8Array<ArrayBuffer> {
  if (typeof parts === "string") return new TextEncoder().encode(parts);
  if (parts instanceof Uint8Array) return new Uint8Array(parts);
  if (parts.every((part) => typeof part === "number")) return Uint8Array.from(parts);
  const joined = parts.map(join);
  const bytes = new Uint8Array(joined.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of joined) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A metadata entry: key, type id, value. */
export function entry(key: string | Uint8Array, typeId: number, value: Part): Part {
  return [text(key), u32(typeId), value];
}

export function arrayOf(typeId: number, count: number | bigint, elements: Part): Part {
  return [u32(typeId), u64(count), elements];
}

export function tensor(
  name: string | Uint8Array,
  shape: readonly (number | bigint)[],
  typeId: number,
  offset: number | bigint,
): Part {
  return [text(name), u32(shape.length), shape.map((size) => u64(size)), u32(typeId), u64(offset)];
}

export interface FileParts {
  readonly magic?: Part;
  readonly version?: number;
  readonly keys?: readonly Part[];
  readonly keyCount?: number | bigint;
  readonly tensors?: readonly Part[];
  readonly tensorCount?: number | bigint;
  readonly alignment?: number;
  readonly dataBytes?: number;
}

/** A whole file. Every part may be wrong. */
export function ggufBytes(parts: FileParts = {}): Uint8Array<ArrayBuffer> {
  const { keys = [], tensors = [], alignment = 32 } = parts;
  const header = join([
    parts.magic ?? "GGUF",
    u32(parts.version ?? 3),
    u64(parts.tensorCount ?? tensors.length),
    u64(parts.keyCount ?? keys.length),
    [...keys],
    [...tensors],
  ]);
  const padding = (alignment - (header.length % alignment)) % alignment;
  return join([header, new Uint8Array(padding + (parts.dataBytes ?? 0))]);
}
