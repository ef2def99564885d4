import { BitNetError } from "../errors.js";
import type { Work } from "./request-tracker.js";

/** The part of a request's work that its stream needs. */
export type StreamedWork = Pick<Work, "timedOut" | "leave" | "stallTimeoutMs">;

/** How long a client may take to read the timeout error before the connection is cut. */
const lastReadMs = 1000;

/**
 * A response that is sent while it is written, and written no faster than it is read. A client that leaves
 * ends the work. So does a client that takes nothing for a while. After a timeout, a client that does not
 * read is cut off.
 *
 * @param chunks must not throw: the status has been sent already.
 */
export function streamingResponse(
  chunks: AsyncGenerator<string, void, void>,
  contentType: string,
  work: StreamedWork,
): Response {
  const encoder = new TextEncoder();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stallTimer: ReturnType<typeof setTimeout> | undefined;
  const cut = (controller: ReadableStreamDefaultController, reason: unknown): void => {
    controller.error(reason);
    work.leave();
    void chunks.return();
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller): void {
      work.timedOut.addEventListener("abort", () => {
        clearTimeout(stallTimer);
        timer = setTimeout(() => cut(controller, work.timedOut.reason), lastReadMs);
      });
    },
    /** Called when the client has taken the last chunk. */
    async pull(controller): Promise<void> {
      clearTimeout(stallTimer);
      const { value, done } = await chunks.next();
      if (done === true) {
        clearTimeout(timer);
        controller.close();
        return;
      }
      controller.enqueue(encoder.encode(value));
      if (work.timedOut.aborted) return;
      stallTimer = setTimeout(() => cut(controller, stalled(work.stallTimeoutMs)), work.stallTimeoutMs);
    },
    async cancel(): Promise<void> {
      clearTimeout(timer);
      clearTimeout(stallTimer);
      work.leave();
      await chunks.return();
    },
  });
  // X-Accel-Buffering: nginx and others would otherwise collect the whole response before they send it on.
  return new Response(body, {
    headers: { "Content-Type": contentType, "Cache-Control": "no-cache", "X-Accel-Buffering": "no" },
  });
}

function stalled(ms: number): BitNetError {
  return new BitNetError("ABORTED", `The client took nothing of the answer for ${ms / 1000} s`);
}
