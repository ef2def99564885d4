import type { Work } from "./request-tracker.js";

/** How long a client may take to read the timeout error before the connection is cut. */
const lastReadMs = 1000;

/**
 * A response that is sent while it is written, and written no faster than it is read. A client that leaves
 * ends the work. After a timeout, a client that does not read is cut off.
 *
 * @param chunks must not throw: the status has been sent already.
 */
export function streamingResponse(
  chunks: AsyncGenerator<string, void, void>,
  contentType: string,
  work: Pick<Work, "timedOut" | "leave">,
): Response {
  const encoder = new TextEncoder();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller): void {
      work.timedOut.addEventListener("abort", () => {
        timer = setTimeout(() => {
          controller.error(work.timedOut.reason);
          void chunks.return();
        }, lastReadMs);
      });
    },
    async pull(controller): Promise<void> {
      const { value, done } = await chunks.next();
      if (done === true) {
        clearTimeout(timer);
        controller.close();
      } else controller.enqueue(encoder.encode(value));
    },
    async cancel(): Promise<void> {
      clearTimeout(timer);
      work.leave();
      await chunks.return();
    },
  });
  // X-Accel-Buffering: nginx and others would otherwise collect the whole response before they send it on.
  return new Response(body, {
    headers: { "Content-Type": contentType, "Cache-Control": "no-cache", "X-Accel-Buffering": "no" },
  });
}
