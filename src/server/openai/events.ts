import { describeFailure, failureBody } from "../failures.js";
import type { StartedTexts } from "../texts.js";
import { streamed } from "../streamed.js";

/** Server-sent events, ended by OpenAI's mark, which is missing where the text is not all there. */
export function eventStream(objects: AsyncGenerator<object, void, void>, { work }: StartedTexts): Response {
  async function* lines(): AsyncGenerator<string, void, void> {
    try {
      for await (const object of objects) yield event(object);
      yield "data: [DONE]\n\n";
    } catch (error) {
      yield event(failureBody(describeFailure(error), "/v1/"));
    }
  }
  return streamed(lines(), "text/event-stream; charset=utf-8", work);
}

function event(object: object): string {
  return `data: ${JSON.stringify(object)}\n\n`;
}
