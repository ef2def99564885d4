import { throwIfAborted } from "../errors.js";
import type { FetchOptions } from "./fetch-model.js";
import { createSha256, type Sha256 } from "./sha256.js";
import { downloadFailed, request } from "./web-request.js";
import type { BlobStore } from "./web-store.js";

/** A file to download. */
export interface WebFile {
  readonly url: string;
  readonly size: number;
  /** Names the content: pieces of another version are not used. */
  readonly version: string;
  /** The expected checksum in hexadecimal, if the server says it. */
  readonly sha256: string | undefined;
}

/** A piece of a download: each is a file of its own, complete or absent, so a download resumes at a piece. */
const usualPieceBytes = 32 * 2 ** 20;
/** A piece is hashed in parts of about 10 ms, so that a page stays responsive. */
const hashedBytes = 2 ** 20;
const tries = 5;

/** The name under which a store and a lock know a file. */
export function storedName({ url, version }: WebFile): string {
  return `${encodeURIComponent(url)}.${encodeURIComponent(version)}`;
}

/**
 * Downloads a file in pieces, and continues a download that was interrupted. At most one piece is in memory.
 * The checksum covers all kept bytes, so pieces of an earlier visit are read again. Once they are verified, a
 * mark beside them saves that work.
 *
 * @param pieceBytes default 32 MiB; the tests have small pieces.
 * @throws BitNetError DOWNLOAD_FAILED, also for a wrong checksum: then nothing is kept. `signal.reason`.
 */
export async function downloadPieces(
  file: WebFile,
  asked: string,
  store: BlobStore,
  { signal, onProgress, refresh = false }: FetchOptions,
  pieceBytes: number = usualPieceBytes,
): Promise<Blob> {
  const { size } = file;
  const name = storedName(file);
  const mark = `${name}.verified`;
  const verified = !refresh && (await store.find(mark)) !== undefined;
  const hash = file.sha256 === undefined || verified ? undefined : createSha256();
  const pieces: { readonly name: string; readonly blob: Blob }[] = [];
  let whole: Blob | undefined;
  for (let begin = 0; begin < size; begin += pieceBytes) {
    throwIfAborted(signal);
    const end = Math.min(size, begin + pieceBytes);
    const pieceName = `${name}.${begin / pieceBytes}`;
    let blob = refresh ? undefined : await store.find(pieceName);
    if (blob?.size !== end - begin) {
      const body: Blob = whole ?? (await readRange(file, { asked, begin, end, signal }));
      // A server without ranges sends the whole file.
      if (body.size === size) whole = body;
      blob = await store.keep(pieceName, whole?.slice(begin, end) ?? body);
    }
    if (hash !== undefined) await hashBlob(hash, blob, signal);
    pieces.push({ name: pieceName, blob });
    onProgress?.({ loadedBytes: end, totalBytes: size });
  }
  if (hash !== undefined) {
    if (hash.digest() !== file.sha256) {
      for (const piece of pieces) await store.remove(piece.name);
      throw downloadFailed(asked, "its checksum is wrong, so the bytes are not the model's; load it again");
    }
    await store.keep(mark, new Blob(["1"]));
  }
  return new Blob(pieces.map(({ blob }) => blob));
}

async function hashBlob(hash: Sha256, blob: Blob, signal: AbortSignal | undefined): Promise<void> {
  for (let begin = 0; begin < blob.size; begin += hashedBytes) {
    throwIfAborted(signal);
    hash.update(new Uint8Array(await blob.slice(begin, begin + hashedBytes).arrayBuffer()));
  }
}

/** @returns the range, or the whole file. */
async function readRange(
  { url, size }: WebFile,
  task: {
    readonly asked: string;
    readonly begin: number;
    readonly end: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Blob> {
  const { asked, begin, end, signal } = task;
  const headers = { range: `bytes=${begin}-${end - 1}` };
  for (let attempt = 1; ; attempt += 1) {
    const response = await request(url, { headers }, asked, signal);
    try {
      const body = await response.blob();
      if (body.size === (response.status === 200 ? size : end - begin)) return body;
    } catch (cause) {
      throwIfAborted(signal);
      if (attempt === tries) throw downloadFailed(asked, "the connection breaks again and again", cause);
      continue;
    }
    if (attempt === tries) throw downloadFailed(asked, "the server sent other bytes than were asked for");
  }
}
