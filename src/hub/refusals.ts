import { BitNetError, type BitNetErrorCode } from "../errors.js";
import type { Refusal } from "./http.js";
import { formatRemoteName, type HubName, type UrlName } from "./model-name.js";
import type { HubSettings } from "./settings.js";

interface Explanation {
  readonly code: BitNetErrorCode;
  /** The missing part of an otherwise valid name. */
  readonly missing?: "file";
  readonly why: string;
}

/** Explains a refusal of the hub and the cure. The hub's own code is in the header X-Error-Code. */
export function explainHubRefusal(name: HubName, settings: HubSettings, refusal: Refusal): BitNetError {
  const { code, why, missing } = hubExplanation(name, settings, refusal);
  return new BitNetError(code, `Cannot download "${formatRemoteName(name)}": ${why}`, {
    details: { status: refusal.status, repo: name.repo, file: name.file, revision: name.revision, missing },
  });
}

function hubExplanation(
  { repo, file, revision }: HubName,
  { endpoint, token }: HubSettings,
  { status, headers, fromAsked }: Refusal,
): Explanation {
  const page = `${endpoint}/${repo}`;
  const has = token !== undefined;
  if (!fromAsked) {
    return {
      code: "DOWNLOAD_FAILED",
      why: `the host that keeps the file answers ${status}; try again later`,
    };
  }
  switch (headers.get("x-error-code") ?? "") {
    case "GatedRepo":
      return {
        code: "ACCESS_DENIED",
        why: has
          ? `it is gated, and the account of HF_TOKEN has no access: accept its terms at ${page}, wait for the owner if they must approve, and let the token read gated repositories`
          : `it is gated: accept its terms at ${page} and set HF_TOKEN to a token of that account`,
      };
    case "RevisionNotFound":
      return { code: "FILE_NOT_FOUND", why: `${repo} has no revision "${revision}"; see ${page}/tree/main` };
    case "EntryNotFound":
      return {
        code: "FILE_NOT_FOUND",
        missing: "file",
        why: `${repo} has no file "${file ?? ""}" at revision "${revision}"`,
      };
  }
  const absent = `there is no public model ${repo}: check its name; if it is private, set HF_TOKEN to a token that may read it`;
  switch (status) {
    case 401:
      return {
        code: "ACCESS_DENIED",
        why: has
          ? `HF_TOKEN is refused: it is mistyped, expired or revoked; make another at ${endpoint}/settings/tokens, or unset it for public models`
          : absent,
      };
    case 403:
      return {
        code: "ACCESS_DENIED",
        why: `access is refused${hubMessage(headers, token)}; ${has ? "check that HF_TOKEN may read it" : "if it is private or gated, set HF_TOKEN to a token that may read it"}`,
      };
    case 404:
      return {
        code: "FILE_NOT_FOUND",
        why: has ? `there is no model ${repo}, or HF_TOKEN may not read it: check its name` : absent,
      };
    default:
      return {
        code: "DOWNLOAD_FAILED",
        why: `${new URL(endpoint).host} answers ${status}${hubMessage(headers, token)}`,
      };
  }
}

/** Explains a refusal of any other server. */
export function explainUrlRefusal(name: UrlName, { status }: Refusal): BitNetError {
  const known: Readonly<Record<number, Explanation>> = {
    401: {
      code: "ACCESS_DENIED",
      why: "the server wants a login; only public files can be downloaded",
    },
    403: {
      code: "ACCESS_DENIED",
      why: "the server refuses access; a signed URL may have expired, so get another",
    },
    404: { code: "FILE_NOT_FOUND", why: "the server has no such file" },
    410: { code: "FILE_NOT_FOUND", why: "the server no longer has this file" },
  };
  const { code, why } = known[status] ?? { code: "DOWNLOAD_FAILED", why: `the server answers ${status}` };
  return new BitNetError(code, `Cannot download "${formatRemoteName(name)}": ${why}`, {
    details: { status },
  });
}

/** The hub's reason in its own words. They may be long, contain markup or repeat the request. */
function hubMessage(headers: Headers, token: string | undefined): string {
  const text = headers.get("x-error-message")?.trim() ?? "";
  if (text === "") return "";
  const safe = token === undefined ? text : text.replaceAll(token, "…");
  return `: ${safe.slice(0, 200).replaceAll(/\p{Cc}/gu, " ")}`;
}
