import { failureOf } from "../failures.js";
import { type StreamedWork, streamingResponse } from "../streaming-response.js";
import { failureBody } from "./failure-body.js";

/** Maximum time without a byte. Proxies and clients close a connection that is silent for about a minute. */
const defaultMaxQuietMs = 10_000;

/** Server-sent events. `[DONE]` ends a complete stream only; a failure ends the stream without it. */
export function eventStream(
  chunks: AsyncGenerator<object, void, void>,
  work: StreamedWork,
  maxQuietMs: number = defaultMaxQuietMs,
): Response {
  async function* events(): AsyncGenerator<string, void, void> {
    try {
      for (;;) {
        const next = chunks.next();
        // Clients skip comments.
        while (await isLate(next, maxQuietMs)) yield ": waiting\n\n";
        const { value, done } = await next;
        if (done === true) break;
        yield event(value);
      }
      yield "data: [DONE]\n\n";
    } catch (error) {
      yield event(failureBody(failureOf(error)));
    } finally {
      await chunks.return();
    }
  }
  return streamingResponse(events(), "text/event-stream; charset=utf-8", work);
}

async function isLate(next: Promise<unknown>, afterMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), afterMs);
  });
  const settled = next.then(
    () => false,
    () => false,
  );
  const result = await Promise.race([settled, late]);
  clearTimeout(timer);
  return result;
}

function event(object: object): string {
  return `data: ${JSON.stringify(object)}\n\n`;
}
