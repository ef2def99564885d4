/**
 * Safetensors files built by hand, with any faults. The code is independent of src/files/safetensors.ts, so
 * that the reader's tests do not rely on it.
 */

/** A tensor to write. Its shape is PyTorch's, slowest-varying first. */
export interface RawTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A file of a header's text and data. `length` replaces the header's true length. */
export function safetensorsBytes(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(0),
  length?: bigint,
): Uint8Array<ArrayBuffer> {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, length ?? BigInt(text.length)), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** A well-formed file of tensors. The header is padded to 8 bytes as by the reference writer. */
export function writeSafetensors(tensors: ReadonlyMap<string, RawTensor>): Uint8Array<ArrayBuffer> {
  let end = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const [name, { dtype, shape, data }] of tensors) {
    const begin = end;
    end += data.length;
    Object.defineProperty(header, name, {
      value: { dtype, shape, data_offsets: [begin, end] },
      enumerable: true,
    });
  }
  const text = JSON.stringify(header);
  const padded = text + " ".repeat((8 - (new TextEncoder().encode(text).length % 8)) % 8);
  return safetensorsBytes(padded, Buffer.concat(Array.from(tensors.values(), ({ data }) => data)));
}

/** Files of tensors with their index, `tensorsPerShard` in each. */
export function writeShards(
  tensors: ReadonlyMap<string, RawTensor>,
  tensorsPerShard: number,
): Map<string, Uint8Array> {
  const entries = [...tensors];
  const count = Math.ceil(entries.length / tensorsPerShard);
  const files = new Map<string, Uint8Array>();
  const weightMap: [string, string][] = [];
  for (let shard = 0; shard < count; shard += 1) {
    const number = (value: number): string => String(value).padStart(5, "0");
    const name = `model-${number(shard + 1)}-of-${number(count)}.safetensors`;
    const part = entries.slice(shard * tensorsPerShard, (shard + 1) * tensorsPerShard);
    for (const [tensor] of part) weightMap.push([tensor, name]);
    files.set(name, writeSafetensors(new Map(part)));
  }
  const index = { metadata: { total_size: 1 }, weight_map: Object.fromEntries(weightMap) };
  files.set("model.safetensors.index.json", new TextEncoder().encode(JSON.stringify(index, null, 2)));
  return files;
}
