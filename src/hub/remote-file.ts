import type { ChecksumAlgorithm } from "../platform/partial-file.js";

/** A file to download, as its server announces it. */
export interface RemoteFile {
  /** Its path in the repository, or its name. */
  readonly path: string;
  readonly url: string;
  /** Bytes. Undefined if the server does not say. */
  readonly size: number | undefined;
  /** The server's name of this version of the file, and its blob's name in the cache. */
  readonly version: string;
  /** The expected checksum, if it is known. */
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly expected: string } | undefined;
  /** A header that every answer with this version has, if it has the header at all. */
  readonly announced:
    { readonly header: "x-linked-etag" | "etag" | "last-modified"; readonly value: string } | undefined;
  /** The version for If-Range, as the server wrote it. Undefined if the header does not allow it. */
  readonly condition: string | undefined;
  /** Whether a part can be kept for another run. Only a version with a name can be recognised. */
  readonly resumable: boolean;
}

/** Files of one commit of a repository. */
export interface RemoteRevision<Files = readonly RemoteFile[]> {
  /** 40 hexadecimal digits. */
  readonly commit: string;
  readonly files: Files;
}

/** `W/"abc"` and `"abc"` become `abc`, as `huggingface_hub` names its blobs. */
export function normalizeEtag(etag: string): string {
  return etag.replace(/^W\//, "").replaceAll('"', "");
}

export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

/** A length in a header. Undefined if no file can have that length. */
export function parseLength(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
