import { BitNetError, throwIfAborted } from "../errors.js";

const tries = 5;

/**
 * Sends a request of a browser, again if the server or the network fails.
 *
 * @param asked the model's name, for messages.
 * @throws BitNetError ACCESS_DENIED, FILE_NOT_FOUND, DOWNLOAD_FAILED; `signal.reason`.
 */
export async function request(
  url: string,
  init: { readonly method?: string; readonly headers?: Record<string, string> },
  asked: string,
  signal: AbortSignal | undefined,
): Promise<Response> {
  let lost: unknown;
  for (let attempt = 1; attempt <= tries; attempt += 1) {
    throwIfAborted(signal);
    if (attempt > 1) await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
    try {
      const response = await fetch(url, { ...init, ...(signal && { signal }) });
      if (response.ok) return response;
      lost = new Error(`status ${response.status}`);
      if (response.status < 500 && response.status !== 429) throw refused(asked, response.status);
    } catch (cause) {
      throwIfAborted(signal);
      if (cause instanceof BitNetError) throw cause;
      lost = cause;
    }
  }
  throw downloadFailed(asked, "the server cannot be reached, or it does not allow this page (CORS)", lost);
}

export function downloadFailed(asked: string, why: string, cause?: unknown): BitNetError {
  return new BitNetError("DOWNLOAD_FAILED", `Cannot download "${asked}": ${why}`, { cause });
}

function refused(asked: string, status: number): BitNetError {
  const code = status === 401 || status === 403 ? "ACCESS_DENIED" : "FILE_NOT_FOUND";
  return new BitNetError(code, `Cannot download "${asked}": the server answers with status ${status}`, {
    details: { status },
  });
}
