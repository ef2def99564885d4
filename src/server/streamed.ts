import type { Work } from "./watch.js";

/** How long a reader whose time is over may take to read that it is. */
const lastWordMs = 1000;

/**
 * A response that is sent as it comes into being, no faster than it is read. A reader that leaves stops it; one that has
 * stopped reading is not waited for when the time is over.
 *
 * @param chunks must not throw: a response that has begun has its status.
 */
export function streamed(
  chunks: AsyncGenerator<string, void, void>,
  contentType: string,
  work: Work,
): Response {
  const encoder = new TextEncoder();
  let timer: NodeJS.Timeout | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller): void {
      work.overdue.addEventListener("abort", () => {
        timer = setTimeout(() => {
          controller.error(work.overdue.reason);
          void chunks.return();
        }, lastWordMs);
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
  // Proxies that collect a response before they pass it on make a stream pointless.
  return new Response(body, {
    headers: { "Content-Type": contentType, "Cache-Control": "no-cache", "X-Accel-Buffering": "no" },
  });
}
