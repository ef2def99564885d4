import type { ChecksumAlgorithm } from "../platform/partial-file.js";

/** A file to download, as its server announces it. */
export interface RemoteFile {
  /** Its path in the repository, or its name. */
  readonly path: string;
  readonly url: string;
  /** Bytes; undefined where the server does not say. */
  readonly size: number | undefined;
  /** What the server calls this version of the file; the name of its blob in the cache. */
  readonly version: string;
  /** Where it is known what the bytes must sum to. */
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly expected: string } | undefined;
  /** A header that every answer with this version has, if it has that header at all. */
  readonly announced:
    { readonly header: "x-linked-etag" | "etag" | "last-modified"; readonly value: string } | undefined;
  /** For If-Range: the version as its server wrote it, where that is fit for it. */
  readonly condition: string | undefined;
  /** Whether a part of it can be kept for another run: only a version that has a name can be recognised. */
  readonly resumable: boolean;
}

/** Files of one commit of a repository. */
export interface RemoteRevision<Files = readonly RemoteFile[]> {
  /** 40 hexadecimal digits. */
  readonly commit: string;
  readonly files: Files;
}

/** `W/"abc"` and `"abc"` are `abc`, as in `huggingface_hub`, whose blobs are named so. */
export function normalizeEtag(etag: string): string {
  return etag.replace(/^W\//, "").replaceAll('"', "");
}

export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

/** A length in a header; undefined where it is none that a file can have. */
export function parseLength(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
