import { BitNetError, throwIfAborted } from "../errors.js";
import type { Http } from "./http.js";
import { fileProblem, formatRemoteName, type HubName } from "./model-name.js";
import { isCommit, normalizeEtag, parseLength, type RemoteFile, type RemoteRevision } from "./remote-file.js";

export interface HubApi {
  /** Asks for one file of the name's revision. */
  findFile(name: HubName & { readonly file: string }): Promise<RemoteRevision<RemoteFile>>;
  /** Asks for all files of the name's revision. */
  listFiles(name: HubName): Promise<RemoteRevision>;
}

/** A list of files is small. A longer answer is something else. */
const maxListingBytes = 64 * 2 ** 20;
const maxEntries = 100_000;

export function createHubApi(endpoint: string, http: Http, signal: AbortSignal | undefined): HubApi {
  function fileUrl(repo: string, revision: string, file: string): string {
    const path = file.split("/").map(encodeURIComponent).join("/");
    return `${endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${path}`;
  }

  return {
    async findFile(name): Promise<RemoteRevision<RemoteFile>> {
      const url = fileUrl(name.repo, name.revision, name.file);
      const reply = await http.send(url, {
        method: "HEAD",
        // For a large file, the redirect's headers carry all facts.
        stopAtRedirect: (headers) => headers.has("x-repo-commit"),
      });
      await reply.discard();
      const headers = reply.firstHeaders.has("x-repo-commit") ? reply.firstHeaders : reply.headers;
      const commit = headers.get("x-repo-commit") ?? "";
      const linked = headers.get("x-linked-etag");
      const etag = normalizeEtag(linked ?? headers.get("etag") ?? "");
      if (!isCommit(commit) || etag === "") throw notAHub(name, endpoint);
      const isRedirect = reply.status >= 300;
      const isSha256 = linked !== null && /^[0-9a-f]{64}$/.test(etag);
      return {
        commit,
        files: {
          path: name.file,
          // From the commit, so that a file and its checksum belong together.
          url: fileUrl(name.repo, commit, name.file),
          // The length of a redirect is not the file's.
          size: parseLength(
            headers.get("x-linked-size") ?? (isRedirect ? null : headers.get("content-length")),
          ),
          version: etag,
          // Other etags are only names: a git hash on the hub, something else on some mirrors.
          checksum: isSha256 ? { algorithm: "sha256", expected: etag } : undefined,
          announced:
            linked === null && isRedirect
              ? undefined
              : { header: linked === null ? "etag" : "x-linked-etag", value: etag },
          condition: undefined,
          resumable: true,
        },
      };
    },

    async listFiles(name): Promise<RemoteRevision> {
      // Imported only here: most models are named with their file, or cached.
      const { listFiles, modelInfo } = await import("@huggingface/hub");
      const shared = { hubUrl: endpoint, fetch: libraryFetch(http) };
      const files: RemoteFile[] = [];
      let commit: unknown;
      try {
        const info = await modelInfo({
          ...shared,
          name: name.repo,
          revision: name.revision,
          additionalFields: ["sha"],
        });
        commit = info.sha;
        if (typeof commit !== "string" || !isCommit(commit)) throw notAHub(name, endpoint);
        const entries = listFiles({ ...shared, repo: name.repo, revision: commit, recursive: true });
        let count = 0;
        for await (const entry of entries) {
          if ((count += 1) > maxEntries) throw notAHub(name, endpoint);
          const file = readEntry(entry, (path) => fileUrl(name.repo, commit as string, path));
          if (file !== undefined) files.push(file);
        }
        return { commit, files };
      } catch (cause) {
        // Our own errors pass through the library. Its own errors mean a malformed answer.
        throwIfAborted(signal);
        if (cause instanceof BitNetError) throw cause;
        throw notAHub(name, endpoint, cause);
      }
    },
  };
}

/** An entry of the hub's list, as expected. It comes from the network, so each field is checked. */
type ListEntry = Partial<Record<"type" | "path" | "size" | "oid" | "lfs", unknown>> | null;

function readEntry(entry: unknown, fileUrl: (path: string) => string): RemoteFile | undefined {
  const { type, path, size, oid, lfs } = (entry as ListEntry) ?? {};
  // A path that leaves the cache is not a model's path.
  if (type !== "file" || typeof path !== "string" || fileProblem(path) !== undefined) return undefined;
  const large = lfs as { readonly oid?: unknown; readonly size?: unknown } | null | undefined;
  const version = large?.oid ?? oid;
  const bytes = large?.size ?? size;
  if (typeof version !== "string" || !Number.isSafeInteger(bytes) || (bytes as number) < 0) return undefined;
  const algorithm = large ? "sha256" : "git-sha1";
  const known = (large ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(version);
  return {
    path,
    url: fileUrl(path),
    size: bytes as number,
    version,
    checksum: known ? { algorithm, expected: version } : undefined,
    announced: large ? { header: "x-linked-etag", value: version } : undefined,
    condition: undefined,
    resumable: true,
  };
}

/**
 * Sends the library's requests over our connection, with its retries, abort, messages and care for the token.
 */
function libraryFetch(http: Http): typeof fetch {
  return async (input) => {
    const url = String(input instanceof Request ? input.url : input);
    const request = { method: "GET", headers: { accept: "application/json" } } as const;
    const { status, headers, body } = await http.read(url, request, maxListingBytes);
    return new Response(body, { status, headers });
  };
}

function notAHub(name: HubName, endpoint: string, cause?: unknown): BitNetError {
  return new BitNetError(
    "DOWNLOAD_FAILED",
    `Cannot download "${formatRemoteName(name)}": ${new URL(endpoint).host} does not answer as a model hub does; check HF_ENDPOINT, and whether the network first wants a login`,
    { cause },
  );
}
