import { BitNetError } from "../errors.js";
import { sha256Hex } from "../platform/node-checksums.js";
import type { Http } from "./http.js";
import { fileProblem, formatRemoteName, type UrlName } from "./model-name.js";
import { normalizeEtag, parseLength, type RemoteFile, type RemoteRevision } from "./remote-file.js";

/** Asks any server about a file. */
export async function findUrlFile(http: Http, name: UrlName): Promise<RemoteRevision<RemoteFile>> {
  // A GET of the first byte, not HEAD: signed URLs refuse HEAD.
  const reply = await http.send(name.url, { method: "GET", headers: { range: "bytes=0-0" } });
  await reply.discard();
  const { status, headers } = reply;
  if (/^text\/html\b/i.test(headers.get("content-type") ?? "")) {
    throw new BitNetError(
      "DOWNLOAD_FAILED",
      `Cannot download "${formatRemoteName(name)}": it is a web page; give the address of the file itself`,
    );
  }
  const etag = headers.get("etag");
  const modified = headers.get("last-modified");
  // Without etag and date, each request counts as a new version.
  const version = sha256Hex(etag ?? modified ?? crypto.randomUUID());
  return {
    commit: version.slice(0, 40),
    files: {
      path: urlFileName(name),
      url: name.url,
      size:
        status === 206
          ? parseLength(headers.get("content-range")?.split("/")[1])
          : parseLength(headers.get("content-length")),
      version,
      checksum: undefined,
      announced:
        etag !== null
          ? { header: "etag", value: normalizeEtag(etag) }
          : modified !== null
            ? { header: "last-modified", value: modified }
            : undefined,
      // HTTP does not allow a weak etag in If-Range: it may stand for several versions of the bytes.
      condition: etag?.startsWith('"') === true ? etag : (modified ?? undefined),
      resumable: etag !== null || modified !== null,
    },
  };
}

function urlFileName(name: UrlName): string {
  const last = new URL(name.url).pathname.split("/").at(-1) ?? "";
  let text = last;
  try {
    text = decodeURIComponent(last);
  } catch {
    // Keep the text as it is.
  }
  return text === "" || text.includes("/") || fileProblem(text) !== undefined ? "model.gguf" : text;
}
