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
/** The hub has 1000 entries on a page. A server of empty pages must come to an end. */
const maxPages = 200;

export function createHubApi(endpoint: string, http: Http, signal: AbortSignal | undefined): HubApi {
  function fileUrl(repo: string, revision: string, file: string): string {
    const path = file.split("/").map(encodeURIComponent).join("/");
    return `${endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${path}`;
  }

  async function readJson(
    name: HubName,
    url: string,
  ): Promise<{ readonly json: unknown; readonly headers: Headers }> {
    const request = { method: "GET", headers: { accept: "application/json" } } as const;
    const { headers, body } = await http.read(url, request, maxListingBytes);
    try {
      return { json: JSON.parse(await body.text()) as unknown, headers };
    } catch (cause) {
      throw notAHub(name, endpoint, cause);
    }
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
      const api = `${endpoint}/api/models/${name.repo}`;
      const info = await readJson(name, `${api}/revision/${encodeURIComponent(name.revision)}`);
      const commit = (info.json as { readonly sha?: unknown } | null)?.sha;
      if (typeof commit !== "string" || !isCommit(commit)) throw notAHub(name, endpoint);
      const files: RemoteFile[] = [];
      let next: string | undefined = `${api}/tree/${commit}?recursive=true`;
      for (let page = 0, entries = 0; next !== undefined; page += 1) {
        throwIfAborted(signal);
        const { json, headers } = await readJson(name, next);
        if (!Array.isArray(json) || (entries += json.length) > maxEntries || page >= maxPages)
          throw notAHub(name, endpoint);
        for (const entry of json) {
          const file = readEntry(entry, (path) => fileUrl(name.repo, commit, path));
          if (file !== undefined) files.push(file);
        }
        next = nextPage(headers.get("link"), next);
      }
      return { commit, files };
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
 * The address of the next page of a list, from a `Link` header. The page is asked of the same host, whatever
 * host the link names: mirrors pass on the hub's own links, and no other host should see the request.
 */
function nextPage(link: string | null, current: string): string | undefined {
  const [, target] = /<([^>]+)>\s*;\s*rel="next"/.exec(link ?? "") ?? [];
  if (target === undefined || !URL.canParse(target, current)) return undefined;
  const { pathname, search } = new URL(target, current);
  return new URL(pathname + search, current).href;
}

function notAHub(name: HubName, endpoint: string, cause?: unknown): BitNetError {
  return new BitNetError(
    "DOWNLOAD_FAILED",
    `Cannot download "${formatRemoteName(name)}": ${new URL(endpoint).host} does not answer as a model hub does; check HF_ENDPOINT, and whether the network first wants a login`,
    { cause },
  );
}
