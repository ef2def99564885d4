import { type EventForm, serverSentEvents, unnamedEvent } from "../server-sent-events.js";
import type { StreamedWork } from "../streaming-response.js";
import { failureBody } from "./failure-body.js";

const form: EventForm = {
  write: unnamedEvent,
  end: "data: [DONE]\n\n",
  waiting: ": waiting\n\n",
  failed: failureBody,
};

/** The chunks of a chat or of completions. `[DONE]` ends a complete stream only. */
export function eventStream(
  chunks: AsyncGenerator<object, void, void>,
  work: StreamedWork,
  maxQuietMs?: number,
): Response {
  return serverSentEvents(chunks, work, form, maxQuietMs);
}
