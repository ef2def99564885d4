import { BitNetError } from "../errors.js";

/**
 * A model on the hub: `hf:owner/repo`, `hf:owner/repo/file`, both optionally with `@revision` at the end.
 *
 * The revision begins after the last `@` and may contain slashes (`@refs/pr/1`). A file with an `@` in its
 * name needs a revision: `hf:owner/repo/a@b.gguf@main`.
 */
export interface HubName {
  readonly kind: "hub";
  /** "owner/repo" */
  readonly repo: string;
  /** A path in the repository. Undefined for the repository's only model. */
  readonly file: string | undefined;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

/** A file anywhere else. */
export interface UrlName {
  readonly kind: "url";
  readonly url: string;
}

export type RemoteName = HubName | UrlName;

export const publicHub = "https://huggingface.co";
export const defaultRevision = "main";

const maxNameLength = 1024;

/** Whether a text names a download, not a local path. */
export function isRemoteName(text: string): boolean {
  return /^(hf:|https?:\/\/)/i.test(text);
}

/**
 * Parses `hf:…` and `https://…`. URLs of the hub's own pages and files, as a browser shows them, become names
 * on the hub.
 *
 * @param endpoint the hub's URL, to recognise its pages
 * @throws BitNetError INVALID_ARGUMENT with the wrong part.
 */
export function parseRemoteName(text: string, endpoint: string = publicHub): RemoteName {
  if (text.length > maxNameLength) throw invalidName(text, `it is longer than ${maxNameLength} characters`);
  return /^hf:/i.test(text) ? parseHubName(text) : parseUrl(text, endpoint);
}

/**
 * A name that `parseRemoteName` reads back. Of a URL only the part without its query, which may be secret.
 */
export function formatRemoteName(name: RemoteName): string {
  if (name.kind === "url") return name.url.replace(/\?.*$/s, "?…");
  const { repo, file, revision } = name;
  const path = file === undefined ? repo : `${repo}/${file}`;
  return `hf:${path}${revision === defaultRevision && !path.includes("@") ? "" : `@${revision}`}`;
}

/**
 * @returns the problem of a path in a repository, which becomes a path in the cache; undefined without a
 *   problem
 */
export function fileProblem(file: string): string | undefined {
  const bad = file.split("/").find((part) => part === "" || /^\.+$|^[a-z]:|\\|\p{Cc}/iu.test(part));
  return bad === undefined ? undefined : `"${bad}" cannot be a part of a path`;
}

/** @returns the problem of a revision, which becomes a path below refs/; undefined without a problem */
export function revisionProblem(revision: string): string | undefined {
  const good = /^[\p{L}\p{N}_][\p{L}\p{N}_.+#=-]*$/u;
  const bad = revision
    .split("/")
    .find((part) => !good.test(part) || part.includes("..") || /\.(lock)?$/.test(part));
  return bad === undefined ? undefined : `"${revision}" cannot be a branch, a tag or a commit`;
}

function parseHubName(text: string): HubName {
  const rest = text.slice("hf:".length);
  const at = rest.lastIndexOf("@");
  const revision = at < 0 ? defaultRevision : rest.slice(at + 1);
  const [owner, repo, ...file] = (at < 0 ? rest : rest.slice(0, at)).split("/");
  return checkedName(text, { owner, repo, file, revision });
}

interface NameParts {
  readonly owner: string | undefined;
  readonly repo: string | undefined;
  readonly file: readonly string[];
  readonly revision: string;
}

function checkedName(text: string, { owner, repo, file, revision }: NameParts): HubName {
  if (owner === undefined || repo === undefined) throw invalidName(text, "it has no repository");
  for (const part of [owner, repo]) {
    // The hub's own rule. Two hyphens separate folder names in the cache.
    if (/^[a-z0-9_](?:[a-z0-9._-]{0,94}[a-z0-9_])?$/i.test(part) && !/--|\.\.|\.git$/.test(part)) continue;
    throw invalidName(text, `"${part}" cannot be an owner or a repository`);
  }
  const path = file.length === 0 ? undefined : file.join("/");
  const problem = (path === undefined ? undefined : fileProblem(path)) ?? revisionProblem(revision);
  if (problem !== undefined) throw invalidName(text, problem);
  return { kind: "hub", repo: `${owner}/${repo}`, file: path, revision };
}

function parseUrl(text: string, endpoint: string): RemoteName {
  if (!URL.canParse(text) || !isRemoteName(text)) throw invalidName(text, "it is not a URL");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    // Not repeated in the message, which may end up in a log.
    throw invalidName(
      `${url.protocol}//…@${url.host}${url.pathname}`,
      "it has a user name or password in it",
    );
  }
  url.hash = "";
  return hubAddress(text, url, endpoint) ?? { kind: "url", url: url.href };
}

/** Path prefixes of the hub that are not owners. */
const notOwners: ReadonlySet<string> = new Set(
  "api blog collections datasets docs join kernels learn login models organizations papers posts pricing settings spaces tasks".split(
    " ",
  ),
);

function hubAddress(text: string, url: URL, endpoint: string): HubName | undefined {
  const address = `${url.origin}${url.pathname}`;
  const base = [endpoint, publicHub, "https://hf.co"].find((hub) => address.startsWith(`${hub}/`));
  if (base === undefined) return undefined;
  const [owner, repo, view, revision, ...file] = address
    .slice(base.length + 1)
    .replace(/\/$/, "")
    .split("/")
    .map((part) => decodePart(text, part));
  if (owner === undefined || repo === undefined || notOwners.has(owner)) return undefined;
  if (view === undefined) return checkedName(text, { owner, repo, file: [], revision: defaultRevision });
  if (revision === undefined) return undefined;
  if (view === "tree" && file.length === 0) return checkedName(text, { owner, repo, file, revision });
  if (!["resolve", "blob", "raw"].includes(view) || file.length === 0) return undefined;
  return checkedName(text, { owner, repo, file, revision });
}

function decodePart(text: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalidName(text, `"${part}" has an invalid percent encoding`);
  }
}

function invalidName(text: string, why: string): BitNetError {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return new BitNetError(
    "INVALID_ARGUMENT",
    `Invalid model name "${shown}": ${why} (expected hf:owner/repo, hf:owner/repo/file.gguf, either with @revision, or a URL)`,
    { details: { name: shown } },
  );
}
