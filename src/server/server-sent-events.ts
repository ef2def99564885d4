import { type Failure, failureOf } from "./failures.js";
import { type StreamedWork, streamingResponse } from "./streaming-response.js";

/** How a protocol writes its events. */
export interface EventForm {
  readonly write: (event: object) => string;
  /** The last text of a complete stream. A failure ends the stream without it. */
  readonly end: string;
  /** Sent while no event comes. Clients skip it. */
  readonly waiting: string;
  /** The event of a failure. */
  readonly failed: (failure: Failure) => object;
}

/** Maximum time without a byte. Proxies and clients close a connection that is silent for about a minute. */
const defaultMaxQuietMs = 10_000;

/** A response of server-sent events. */
export function serverSentEvents(
  events: AsyncGenerator<object, unknown, void>,
  work: StreamedWork,
  { write, end, waiting, failed }: EventForm,
  maxQuietMs: number = defaultMaxQuietMs,
): Response {
  async function* texts(): AsyncGenerator<string, void, void> {
    try {
      for (;;) {
        const next = events.next();
        while (await isLate(next, maxQuietMs)) yield waiting;
        const { value, done } = await next;
        if (done === true) break;
        yield write(value);
      }
      if (end !== "") yield end;
    } catch (error) {
      yield write(failed(failureOf(error)));
    } finally {
      await events.return(undefined);
    }
  }
  return streamingResponse(texts(), "text/event-stream; charset=utf-8", work);
}

/** An event without a name. */
export function unnamedEvent(event: object): string {
  return `data: ${JSON.stringify(event)}\n\n`;
}

/** An event whose name is its type. */
export function typedEvent(event: object & { readonly type?: string }): string {
  return `event: ${event.type ?? "error"}\n${unnamedEvent(event)}`;
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
