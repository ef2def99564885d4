import { findSource, type ModelSource } from "../language-model/find-source.js";
import type { CacheType } from "../wasm/cache-types.js";
import type { ByteSource } from "../platform/byte-source.js";
import { openFileSource } from "../platform/node.js";
import { sha256Hex } from "../platform/node-checksums.js";

/** Larger files are hashed in part: reading many gigabytes would take longer than a small batch. */
const wholeBytes = 16 * 2 ** 20;
const headBytes = 2 ** 20;
const samples = 256;
const sampleBytes = 4096;

/**
 * A digest that identifies a model by its content, not by its name or path: the same on every machine.
 *
 * A large file is hashed by its size, its first megabyte and 256 samples of 4 KiB. Two fine-tuned models of
 * one size differ in almost every sample.
 *
 * @param source a path, or a URL of a file
 * @param cacheType how keys and values are kept: answers depend on it
 * @returns 64 hexadecimal digits.
 * @throws BitNetError FILE_NOT_FOUND, FILE_READ.
 */
export async function modelDigest(source: ModelSource, cacheType: CacheType = "f16"): Promise<string> {
  const found = await findSource(source);
  await found.close();
  const digests: string[] = [];
  for (const path of found.paths.toSorted()) {
    // Operating systems put files such as .DS_Store into folders.
    if (/(^|[/\\])\.[^/\\]*$/.test(path)) continue;
    const file = await openFileSource(path);
    try {
      digests.push(await fileDigest(file));
    } finally {
      await file.close();
    }
  }
  if (cacheType !== "f16") digests.push(`KV cache ${cacheType}`);
  return sha256Hex(digests.join("\n"));
}

async function fileDigest(file: ByteSource): Promise<string> {
  const { size } = file;
  if (size <= wholeBytes) return sha256Hex(await file.read(0, size));
  const digests = [String(size), sha256Hex(await file.read(0, headBytes))];
  for (let index = 0; index < samples; index += 1) {
    const offset = Math.floor(((size - sampleBytes) * index) / (samples - 1));
    digests.push(sha256Hex(await file.read(offset, sampleBytes)));
  }
  return sha256Hex(digests.join("\n"));
}
