import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * A hub on this machine. It implements the part of huggingface.co's protocol that models need. It serves
 * revisions, paged lists of files, and files by HEAD and GET with ranges and etags. Large files redirect to
 * another origin (the "cdn"). It fails on demand: see `Mishap`.
 */
export interface HubServer {
  readonly endpoint: string;
  /** The origin of large files, and of plain files at /files/…. */
  readonly cdn: string;
  readonly requests: readonly SeenRequest[];
  readonly repos: Map<string, ServedRepo>;
  /** Former names of repositories and their current names. */
  readonly renamed: Map<string, string>;
  /** Served at /files/<name> of the cdn, as by any web server. */
  readonly plainFiles: Map<string, Uint8Array>;
  /** Makes the next request of a kind fail. Several mishaps apply in order. */
  next(kind: RequestKind, mishap: Mishap, times?: number): void;
  /** The total of body bytes sent. */
  bodyBytes(): number;
  forget(): void;
  close(): Promise<void>;
}

export interface ServedRepo {
  /** Branches and tags. A client can also request each commit by its hash. */
  readonly revisions: Map<string, Commit>;
  access: "public" | "gated" | "private";
}

export interface Commit {
  readonly sha: string;
  readonly files: ReadonlyMap<string, ServedFile>;
}

export interface ServedFile {
  readonly bytes: Uint8Array;
  /** The cdn stores large files, with a sha256. The hub stores small files. */
  readonly large: boolean;
}

export type RequestKind = "info" | "tree" | "resolve" | "blob" | "file";

export interface SeenRequest {
  readonly kind: RequestKind;
  readonly method: string;
  readonly url: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly authorization: string | undefined;
  sentBytes: number;
}

/** Answers a request wrongly. `right` sends the correct answer with changes. */
export type Mishap = (response: ServerResponse, right: (changes?: Changes) => Promise<void>) => unknown;

export interface Changes {
  /** Destroys the connection after this many bytes of the body. */
  readonly cutAfter?: number;
  readonly ignoreRange?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly bytes?: (right: Uint8Array) => Uint8Array;
  /** The delay between pieces of 64 KiB. */
  readonly pauseMs?: number;
}

export const acceptedToken = "hf_TheOneThatIsAccepted";

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function gitSha1(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** A commit of files. Files of 1 kB and more are large by default. */
export function commitOf(files: Readonly<Record<string, Uint8Array | string>>): Commit {
  const entries = Object.entries(files).map(([path, content]): [string, ServedFile] => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    return [path, { bytes, large: bytes.length >= 1000 }];
  });
  const sha = createHash("sha1");
  for (const [path, { bytes }] of entries) sha.update(path).update(bytes);
  return { sha: sha.digest("hex"), files: new Map(entries) };
}

/** A repository whose branch main is a commit of these files. */
export function repoOf(
  files: Readonly<Record<string, Uint8Array | string>>,
  access: ServedRepo["access"] = "public",
): ServedRepo {
  return { revisions: new Map([["main", commitOf(files)]]), access };
}

const pageEntries = 3;

export async function startHubServer(): Promise<HubServer> {
  const requests: SeenRequest[] = [];
  const repos = new Map<string, ServedRepo>();
  const renamed = new Map<string, string>();
  const plainFiles = new Map<string, Uint8Array>();
  const mishaps = new Map<RequestKind, Mishap[]>();
  const hub = createServer((request, response) => void answer(request, response, hubRoute));
  const cdn = createServer((request, response) => void answer(request, response, cdnRoute));
  const endpoint = await listen(hub);
  const cdnOrigin = await listen(cdn);

  /** The kind of a path, and its correct answer. */
  interface Route {
    readonly kind: RequestKind;
    send(changes: Changes): Promise<void>;
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    route: (request: IncomingMessage, response: ServerResponse, seen: SeenRequest) => Route,
  ): Promise<void> {
    const { method = "", url = "", headers } = request;
    const { range, authorization } = headers;
    const ifRange = headers["if-range"] as string | undefined;
    const seen = { kind: "file" as RequestKind, method, url, range, ifRange, authorization, sentBytes: 0 };
    const { kind, send } = route(request, response, seen);
    seen.kind = kind;
    requests.push(seen);
    const mishap = mishaps.get(kind)?.shift();
    if (mishap === undefined) await send({});
    else await mishap(response, (changes = {}) => send(changes));
  }

  function hubRoute(request: IncomingMessage, response: ServerResponse, seen: SeenRequest): Route {
    const url = new URL(request.url ?? "", endpoint);
    const parts = url.pathname.split("/").slice(1).map(decodeURIComponent);
    const isApi = parts[0] === "api" && parts[1] === "models";
    const [owner, repo, view, ...rest] = isApi ? parts.slice(2) : parts;
    const kind = view === "revision" ? "info" : view === "tree" ? "tree" : "resolve";
    return {
      kind,
      async send(changes): Promise<void> {
        const current = renamed.get(`${owner ?? ""}/${repo ?? ""}`);
        if (current !== undefined) {
          const location = url.pathname.replace(`${owner ?? ""}/${repo ?? ""}`, current) + url.search;
          response.writeHead(307, { location }).end();
          return;
        }
        const served = repos.get(`${owner ?? ""}/${repo ?? ""}`);
        const authorized = seen.authorization === `Bearer ${acceptedToken}`;
        if (seen.authorization !== undefined && !authorized) {
          refuse(response, 401, "", "Invalid token");
          return;
        }
        if (served === undefined || (served.access === "private" && !authorized)) {
          if (authorized) refuse(response, 404, "RepoNotFound", "Repository not found");
          else refuse(response, 401, "RepoNotFound", "Invalid username or password.");
          return;
        }
        if (served.access === "gated" && !authorized) {
          refuse(response, 401, "GatedRepo", `Access to model ${owner ?? ""}/${repo ?? ""} is restricted`);
          return;
        }
        const commit = findCommit(served, rest[0] ?? "");
        if (commit === undefined) {
          refuse(response, 404, "RevisionNotFound", "Invalid rev id");
          return;
        }
        if (view === "revision") {
          json(response, { _id: "1", id: `${owner ?? ""}/${repo ?? ""}`, sha: commit.sha });
          return;
        }
        if (view === "tree") {
          tree(url, response, commit);
          return;
        }
        const path = rest.slice(1).join("/");
        const file = commit.files.get(path);
        response.setHeader("x-repo-commit", commit.sha);
        if (file === undefined) {
          refuse(response, 404, "EntryNotFound", "Entry not found");
          return;
        }
        if (!file.large)
          return sendBytes(request, response, seen, file.bytes, `"${gitSha1(file.bytes)}"`, changes);
        const sum = sha256(file.bytes);
        response.writeHead(302, {
          location: `${cdnOrigin}/blob/${sum}?signature=abc`,
          "x-linked-size": file.bytes.length,
          "x-linked-etag": `"${sum}"`,
          etag: '"of the redirect itself"',
          "content-length": 5,
          ...changes.headers,
        });
        response.end("Found");
      },
    };
  }

  function tree(url: URL, response: ServerResponse, { sha, files }: Commit): void {
    const begin = Number(url.searchParams.get("cursor") ?? 0);
    const entries = [...files].map(([path, { bytes, large }]) => ({
      type: "file",
      path,
      size: bytes.length,
      oid: large ? gitSha1(new TextEncoder().encode(`pointer to ${path}`)) : gitSha1(bytes),
      ...(large ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } } : {}),
    }));
    if (begin + pageEntries < entries.length) {
      const next = new URL(url);
      next.searchParams.set("cursor", String(begin + pageEntries));
      response.setHeader("link", `<${next.href}>; rel="next"`);
    }
    const folders = begin === 0 ? [{ type: "directory", path: "folder", size: 0, oid: sha }] : [];
    json(response, [...folders, ...entries.slice(begin, begin + pageEntries)]);
  }

  function cdnRoute(request: IncomingMessage, response: ServerResponse, seen: SeenRequest): Route {
    const { pathname } = new URL(request.url ?? "", cdnOrigin);
    const [, where, name = ""] = pathname.split("/").map(decodeURIComponent);
    const kind = where === "blob" ? "blob" : "file";
    return {
      kind,
      async send(changes): Promise<void> {
        const bytes = kind === "blob" ? findBlob(name) : plainFiles.get(name);
        if (bytes === undefined) {
          refuse(response, 404, "", "not here");
          return;
        }
        const etag =
          kind === "blob" ? `"cdn-${sha256(bytes).slice(0, 8)}"` : `"${sha256(bytes).slice(0, 8)}"`;
        return sendBytes(request, response, seen, bytes, etag, changes);
      },
    };
  }

  function findBlob(sum: string): Uint8Array | undefined {
    for (const { revisions } of repos.values()) {
      for (const { files } of revisions.values()) {
        for (const { bytes } of files.values()) if (sha256(bytes) === sum) return bytes;
      }
    }
    return undefined;
  }

  return {
    endpoint,
    cdn: cdnOrigin,
    requests,
    repos,
    renamed,
    plainFiles,
    next(kind, mishap, times = 1): void {
      mishaps.set(kind, [...(mishaps.get(kind) ?? []), ...Array.from({ length: times }, () => mishap)]);
    },
    bodyBytes: () => requests.reduce((sum, { sentBytes }) => sum + sentBytes, 0),
    forget(): void {
      requests.length = 0;
      mishaps.clear();
    },
    async close(): Promise<void> {
      for (const server of [hub, cdn]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

function findCommit({ revisions }: ServedRepo, revision: string): Commit | undefined {
  return revisions.get(revision) ?? [...revisions.values()].find(({ sha }) => sha === revision);
}

async function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  seen: SeenRequest,
  right: Uint8Array,
  etag: string,
  changes: Changes,
): Promise<void> {
  const bytes = changes.bytes?.(right) ?? right;
  const condition = request.headers["if-range"];
  const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const honoured =
    asked !== null && changes.ignoreRange !== true && (condition === undefined || condition === etag);
  const begin = honoured ? Number(asked[1]) : 0;
  const end = honoured && asked[2] !== "" ? Math.min(Number(asked[2]) + 1, bytes.length) : bytes.length;
  if (begin >= bytes.length && bytes.length > 0) {
    response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
    return;
  }
  response.writeHead(honoured ? 206 : 200, {
    etag,
    "accept-ranges": "bytes",
    "content-length": end - begin,
    ...(honoured ? { "content-range": `bytes ${begin}-${end - 1}/${bytes.length}` } : {}),
    ...changes.headers,
  });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  const stop = Math.min(end, begin + (changes.cutAfter ?? Infinity));
  for (let at = begin; at < stop && !response.destroyed; at += 65_536) {
    const piece = bytes.subarray(at, Math.min(at + 65_536, stop));
    seen.sentBytes += piece.length;
    await new Promise((resolve) => response.write(piece, resolve));
    if (changes.pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, changes.pauseMs));
  }
  if (stop < end) response.destroy();
  else response.end();
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json").end(JSON.stringify(value));
}

/**
 * A refusal in the hub's form: its code and its message in headers, and a body that clients should not use.
 */
export function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response
    .writeHead(status, {
      ...(code === "" ? {} : { "x-error-code": code }),
      "x-error-message": message,
      "content-type": "text/plain",
    })
    .end(message);
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
