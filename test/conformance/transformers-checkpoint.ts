import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { float32ToBfloat16 } from "#dist/weight-formats/bf16.js";
import { numberToFloat16 } from "#dist/weight-formats/float16.js";
import { type RawTensor, writeSafetensors } from "../support/safetensors-bytes.js";

/** A file of test/golden/transformers: a checkpoint without its weights, and the results of transformers. */
export interface TransformersGolden {
  readonly made_by: string;
  /** The JSON files of the checkpoint by path. */
  readonly files: Readonly<Record<string, unknown>>;
  readonly tensors: readonly GoldenTensor[];
  /** Of all weights in the order of `tensors`. */
  readonly sha256: string;
  readonly runs?: readonly GoldenRun[];
  readonly texts?: readonly GoldenText[];
}

export interface GoldenRun {
  readonly ids: readonly number[];
  readonly context_length: number | null;
  /** Of the last positions, base64 of float32. */
  readonly logits: string;
  /** The same by a KV cache that holds float16. */
  readonly logits_of_half_cache: string;
  /** The likeliest tokens after the prompt, one after the other, and how far the second one is behind. */
  readonly greedy: readonly { readonly id: number; readonly gap: number }[];
}

export interface GoldenText {
  readonly text: string;
  readonly ids: readonly number[];
  /** Of length 1, base64 of float32. */
  readonly vector: string;
}

interface GoldenTensor {
  readonly name: string;
  readonly dtype: "F32" | "F16" | "BF16" | "U8";
  readonly shape: readonly number[];
  readonly kind: "even" | "norm" | "codes";
  readonly centre: number;
  readonly amplitude: number;
}

const folder = new URL("../golden/transformers/", import.meta.url);

/** Names of the golden files. */
export const transformersGoldens: readonly string[] = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file) => file.slice(0, -".json".length))
  .sort();

export function readGolden(name: string): TransformersGolden {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as TransformersGolden;
}

export function decodeFloats(base64: string): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(base64, "base64")).buffer);
}

/** The files of the checkpoint, its weights made as test/golden/transformers/weights.py makes them. */
export function makeCheckpoint({ files, tensors, sha256 }: TransformersGolden): Map<string, Uint8Array> {
  const made = tensors.map((tensor) => ({ ...tensor, data: fill(tensor) }));
  const hash = createHash("sha256");
  for (const { data } of made) hash.update(data);
  if (hash.digest("hex") !== sha256) throw new Error("the weights are not those that transformers had");
  const raw = new Map(made.map(({ name, ...tensor }): [string, RawTensor] => [name, tensor]));
  const encode = (content: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(content));
  return new Map([
    ...Object.entries(files).map(([path, content]): [string, Uint8Array] => [path, encode(content)]),
    ["model.safetensors", writeSafetensors(raw)],
  ]);
}

function fill(tensor: GoldenTensor): Uint8Array {
  const { name, dtype, shape, kind, centre, amplitude } = tensor;
  const count = shape.reduce((product, size) => product * size, 1);
  if (kind === "codes") {
    const codes = Uint8Array.from(hashes(name, 4 * count), (hash) => hash % 3);
    return Uint8Array.from({ length: count }, (_, at) =>
      [0, 1, 2, 3].reduce((byte, part) => byte | ((codes[4 * at + part] ?? 0) << (2 * part)), 0),
    );
  }
  const values = Float32Array.from(hashes(name, count), (hash) => {
    const k = (hash >>> 25) - 64;
    return centre + amplitude * (kind === "even" ? (2 * k + 1) / 128 : k / 64);
  });
  const numbers =
    dtype === "F32"
      ? values
      : Uint16Array.from(values, dtype === "F16" ? numberToFloat16 : float32ToBfloat16);
  return new Uint8Array(numbers.buffer);
}

/** 32 bits for each index: FNV-1a of the name, then lowbias32. */
function hashes(name: string, count: number): Uint32Array {
  const seed = new TextEncoder()
    .encode(name)
    .reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5);
  return Uint32Array.from({ length: count }, (_, index) => {
    let x = (Math.imul(index, 0x9e3779b9) + seed) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    return x ^ (x >>> 16);
  });
}
