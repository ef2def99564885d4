/**
 * A response that is sent as it comes into being. A reader that leaves stops it.
 *
 * @param chunks must not throw: a response that has begun has its status.
 */
export function streamed(
  chunks: AsyncGenerator<string, void, void>,
  contentType: string,
  abort: () => void,
): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      const { value, done } = await chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel(): Promise<void> {
      abort();
      await chunks.return();
    },
  });
  // Proxies that collect a response before they pass it on make a stream pointless.
  return new Response(body, {
    headers: { "Content-Type": contentType, "Cache-Control": "no-cache", "X-Accel-Buffering": "no" },
  });
}
