import type { Usage } from "../../../generation/generated-piece.js";
import { failureOf } from "../../failures.js";
import type { IndexedPiece } from "../../jobs.js";
import { type Choice, createChoice } from "../../requests/choice.js";
import { newId } from "../../requests/ids.js";
import { createTextParser, type ToolCallParser } from "../../requests/tool-call-parser.js";
import { createOutput, type Output, type OutputEvent } from "./output.js";

/** A response being written. */
export interface WrittenResponse {
  readonly pieces: AsyncIterable<IndexedPiece>;
  /** Default: the answer contains no calls. */
  readonly createParser: (() => ToolCallParser) | undefined;
  readonly asSummary: boolean;
  readonly model: string;
  /** The request's fields that the response repeats. */
  readonly repeated: object;
}

/** The fields of a response that change while it is written. */
type Describe = (changing: { readonly status: string } & Readonly<Record<string, unknown>>) => object;

/** The whole response. */
export async function collect(written: WrittenResponse): Promise<object> {
  const [choice, output] = open(written);
  for await (const { piece } of written.pieces) choice.push(piece).forEach(output.push);
  return finish(choice, output, describer(written)).response;
}

/** The events of the response, in order and numbered. A failure is an event too. */
export async function* events(written: WrittenResponse): AsyncGenerator<object, void, void> {
  const [choice, output] = open(written);
  const describe = describer(written);
  let number = 0;
  const numbered = (list: readonly OutputEvent[]): object[] =>
    list.map(({ type, ...rest }) => ({ type, sequence_number: (number += 1) - 1, ...rest }));

  const response = describe({ status: "in_progress" });
  yield* numbered([
    { type: "response.created", response },
    { type: "response.in_progress", response },
  ]);
  try {
    for await (const { piece } of written.pieces) yield* numbered(choice.push(piece).flatMap(output.push));
    const last = finish(choice, output, describe);
    yield* numbered([...last.events, { type: `response.${last.status}`, response: last.response }]);
  } catch (error) {
    const { code, message } = failureOf(error);
    const failed = {
      status: "failed",
      output: output.items,
      error: { code: code ?? "server_error", message },
    };
    yield* numbered([{ type: "response.failed", response: describe(failed) }]);
  }
}

function open({ createParser = createTextParser, asSummary }: WrittenResponse): [Choice, Output] {
  return [createChoice(createParser()), createOutput({ asSummary })];
}

interface Finished {
  readonly status: "completed" | "incomplete";
  readonly events: readonly OutputEvent[];
  readonly response: object;
}

function finish(choice: Choice, output: Output, describe: Describe): Finished {
  const status = choice.finishReason === "length" ? "incomplete" : "completed";
  const last = output.end(status);
  const response = describe({
    status,
    output: output.items,
    usage: describeUsage(choice.usage),
    ...(status === "completed"
      ? { completed_at: seconds() }
      : { incomplete_details: { reason: "max_output_tokens" } }),
  });
  return { status, events: last, response };
}

function describer({ model, repeated }: WrittenResponse): Describe {
  const fixed = { id: newId("resp_"), object: "response", created_at: seconds(), model };
  return (changing) => ({
    ...fixed,
    background: false,
    completed_at: null,
    error: null,
    incomplete_details: null,
    output: [],
    previous_response_id: null,
    service_tier: "default",
    // Nothing is stored, whatever the request says.
    store: false,
    top_logprobs: 0,
    truncation: "disabled",
    usage: null,
    ...repeated,
    ...changing,
  });
}

function describeUsage({ promptTokens, generatedTokens, thinkingTokens = 0 }: Usage): object {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: generatedTokens,
    output_tokens_details: { reasoning_tokens: thinkingTokens },
    total_tokens: promptTokens + generatedTokens,
  };
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
