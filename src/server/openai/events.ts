import { describeFailure, failureBody } from "../failures.js";
import { streamed } from "../streamed.js";
import type { Work } from "../watch.js";

/** Something is sent at least that often: proxies and clients give up connections that are silent for a minute or so. */
const quietMs = 10_000;

/** Server-sent events, ended by OpenAI's mark, which is missing where the text is not all there. */
export function eventStream(
  objects: AsyncGenerator<object, void, void>,
  work: Work,
  longestQuietMs: number = quietMs,
): Response {
  async function* lines(): AsyncGenerator<string, void, void> {
    try {
      for (;;) {
        const next = objects.next();
        // A comment, which clients pass over.
        while (await isLate(next, longestQuietMs)) yield ": waiting\n\n";
        const { value, done } = await next;
        if (done === true) break;
        yield event(value);
      }
      yield "data: [DONE]\n\n";
    } catch (error) {
      yield event(failureBody(describeFailure(error), "/v1/"));
    } finally {
      await objects.return();
    }
  }
  return streamed(lines(), "text/event-stream; charset=utf-8", work);
}

async function isLate(next: Promise<unknown>, afterMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
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
