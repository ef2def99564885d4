import { BitNetError } from "../errors.js";
import { type FileLock, seekFileLock } from "../platform/node-lock-file.js";
import { makeFolder, pathStatus, removePath } from "../platform/node-folders.js";
import { openPartialFile } from "../platform/node-partial-file.js";
import { dirname } from "../platform/node-paths.js";
import type { PartialFile } from "../platform/partial-file.js";
import { lockPath, partialPath } from "./cache-layout.js";
import type { Http, Reply } from "./http.js";
import { createPatience, passingFailure, pauseFor } from "./patience.js";
import { normalizeEtag, parseLength, type RemoteFile } from "./remote-file.js";
import type { Timing } from "./timing.js";

export interface DownloadOptions {
  readonly http: Http;
  /** Start of messages: `Cannot download "hf:…"`. */
  readonly attempt: string;
  readonly timing: Timing;
  readonly signal: AbortSignal | undefined;
  /** Bytes of the file so far. Falls if the download starts again. */
  readonly onBytes: (position: number) => void;
}

/** The server's file is not the announced version. The version must be requested again. */
export const versionChanged = "version changed";

/**
 * Downloads a file to `blob`, which appears only when it is complete and its checksum is right. A stopped or
 * failed download keeps its bytes beside the blob. The next one continues there, in this process or another.
 *
 * @returns bytes that came over the network; 0 if the file was complete or another process completed it
 * @throws BitNetError DOWNLOAD_FAILED (`details.reason` may be `versionChanged`), ACCESS_DENIED,
 *   FILE_NOT_FOUND, FILE_WRITE; `signal.reason`.
 */
export async function downloadFile(
  file: RemoteFile,
  blob: string,
  options: DownloadOptions,
): Promise<number> {
  await makeFolder(dirname(blob));
  const lock = await waitForLock(file, blob, options);
  if (lock === undefined) return 0;
  try {
    return await fillAndCommit(file, blob, options);
  } finally {
    await lock.release();
  }
}

/** @returns undefined once another process has finished the file. */
async function waitForLock(
  file: RemoteFile,
  blob: string,
  { timing, signal, onBytes }: DownloadOptions,
): Promise<FileLock | undefined> {
  const seeker = seekFileLock(lockPath(blob), timing.lock);
  for (;;) {
    if (await isThere(file, blob)) return undefined;
    const lock = await seeker.tryAcquire();
    if (lock !== undefined) {
      // It may have been completed between the two looks.
      if (!(await isThere(file, blob))) return lock;
      await lock.release();
      return undefined;
    }
    const partial = await pathStatus(partialPath(blob), "follow");
    if (partial !== undefined) onBytes(partial.bytes);
    await pauseFor(timing.pollMs, signal);
  }
}

/** Whether the blob is complete. A blob of another length is damaged or foreign, and is removed. */
async function isThere({ size }: RemoteFile, blob: string): Promise<boolean> {
  const status = await pathStatus(blob, "follow");
  if (status === undefined) return false;
  if (status.kind === "file" && (size === undefined || status.bytes === size)) return true;
  await removePath(blob);
  return false;
}

async function fillAndCommit(file: RemoteFile, blob: string, options: DownloadOptions): Promise<number> {
  const partial = await openPartialFile(partialPath(blob), {
    size: file.size,
    checksum: file.checksum?.algorithm,
    resume: file.resumable,
    signal: options.signal,
  });
  try {
    const transferred = await fill(file, partial, options);
    const sum = partial.checksum();
    if (file.checksum !== undefined && sum !== undefined && sum !== file.checksum.expected) {
      await partial.discard();
      throw new BitNetError(
        "DOWNLOAD_FAILED",
        `${options.attempt}: ${file.path} arrived with the checksum ${sum}, and the hub announced ${file.checksum.expected}; the bytes were removed, so try again; if that fails too, a proxy may change the file`,
        { details: { expected: file.checksum.expected, actual: sum, algorithm: file.checksum.algorithm } },
      );
    }
    await partial.commit(blob);
    return transferred;
  } catch (error) {
    throw withRoomHint(error, partial.position);
  } finally {
    await partial.close();
  }
}

/** Requests the missing bytes until the file is complete. */
async function fill(file: RemoteFile, partial: PartialFile, options: DownloadOptions): Promise<number> {
  const { timing, signal, onBytes } = options;
  const patience = createPatience(timing.downloadTries, timing, signal);
  let transferred = 0;
  // A server that starts again each time makes no progress by repeating bytes.
  let furthest = partial.position;
  onBytes(partial.position);

  while (file.size === undefined || partial.position < file.size) {
    try {
      const reply = await request(file, partial, options);
      const whole = file.size ?? announcedEnd(reply);
      for await (const chunk of reply.chunks()) {
        if (whole !== undefined && partial.position + chunk.length > whole)
          throw tooLong(file, whole, options);
        await partial.append(chunk);
        transferred += chunk.length;
        if (partial.position > furthest) {
          furthest = partial.position;
          patience.renew();
        }
        onBytes(partial.position);
      }
      if (whole === undefined || partial.position === whole) return transferred;
      throw passingFailure(
        `${options.attempt}: the server ends ${file.path} after ${partial.position} of ${whole} bytes`,
        {},
      );
    } catch (failure) {
      await patience.wait(failure);
    }
  }
  return transferred;
}

/** Requests the rest of the file and prepares the partial file for the answer. */
async function request(
  file: RemoteFile,
  partial: PartialFile,
  { http, attempt, onBytes }: DownloadOptions,
): Promise<Reply> {
  const begin = partial.position;
  const reply = await http.send(file.url, {
    method: "GET",
    headers:
      begin === 0
        ? {}
        : {
            range: `bytes=${begin}-`,
            ...(file.condition === undefined ? {} : { "if-range": file.condition }),
          },
    alsoAccept: [416],
  });
  try {
    requireVersion(file, reply, attempt);
    const problem = rangeProblem(file, reply, begin);
    if (problem === "ignored") {
      await partial.restart();
      onBytes(0);
    } else if (problem !== undefined) {
      // The kept bytes do not fit the server's file.
      await partial.restart();
      onBytes(0);
      throw passingFailure(`${attempt}: ${problem}`, { status: reply.status });
    }
    return reply;
  } catch (error) {
    await reply.discard();
    throw error;
  }
}

function requireVersion({ announced, path }: RemoteFile, reply: Reply, attempt: string): void {
  if (announced === undefined) return;
  const { header, value } = announced;
  // The hub's own header is on its redirect. The other headers are from the server with the bytes.
  const got = (header === "x-linked-etag" ? reply.firstHeaders : reply.headers).get(header);
  if (got === null || normalizeEtag(got) === value) return;
  throw new BitNetError(
    "DOWNLOAD_FAILED",
    `${attempt}: ${path} was changed on the server while it was downloaded; try again`,
    { details: { reason: versionChanged } },
  );
}

/**
 * The problem with an answer to a request for the bytes from `begin`. "ignored" if the answer has all bytes.
 */
function rangeProblem({ size }: RemoteFile, { status, headers }: Reply, begin: number): string | undefined {
  if (status === 416) return `the server has nothing after byte ${begin}`;
  if (status !== 206) return begin === 0 ? undefined : "ignored";
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
  if (parseLength(first) !== begin) return `the server sends bytes from another offset than ${begin}`;
  const sent = parseLength(total);
  if (sent === undefined || size === undefined || sent === size) return undefined;
  return `the server has ${sent} bytes, and ${size} were announced`;
}

/** The end of an answer, for a file of unknown length. */
function announcedEnd({ status, headers }: Reply): number | undefined {
  if (headers.get("content-encoding") !== null) return undefined;
  if (status === 206) return parseLength(headers.get("content-range")?.split("/")[1]);
  return parseLength(headers.get("content-length"));
}

function tooLong(file: RemoteFile, whole: number, { attempt }: DownloadOptions): BitNetError {
  return new BitNetError(
    "DOWNLOAD_FAILED",
    `${attempt}: the server sends more of ${file.path} than the ${whole} bytes that it announced`,
  );
}

/** Only a full disk is cured by deleting something else. */
function withRoomHint(error: unknown, position: number): unknown {
  const code = ((error as { cause?: unknown } | undefined)?.cause as { code?: unknown } | undefined)?.code;
  if (!(error instanceof BitNetError) || (code !== "ENOSPC" && code !== "EDQUOT")) return error;
  return new BitNetError(
    error.code,
    `${error.message}: ${position} bytes are kept; free some space and download again to continue`,
    { cause: error.cause, details: error.details },
  );
}
