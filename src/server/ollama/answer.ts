import type { Context } from "hono";
import { z } from "zod";
import type { InnerGenerateOptions } from "../../generation/resolve-options.js";
import { failureOf } from "../failures.js";
import { startJobs, type StartedJobs } from "../jobs.js";
import { optional, type RequestPart, requestPart } from "../requests/body.js";
import { argumentsOf } from "../requests/choice.js";
import {
  type AnswerPart as ParsedPart,
  createTextParser,
  type ToolCallParser,
} from "../requests/tool-call-parser.js";
import type { Service } from "../service.js";
import { streamingResponse } from "../streaming-response.js";
import { nanoseconds } from "./durations.js";
import { failureBody } from "./failure-body.js";

/** The content of an answer, or of a part of it. */
export interface AnswerContent {
  readonly text: string;
  readonly thinking: string;
  readonly calls: readonly OllamaCall[];
}

/** A call, which this protocol sends as a whole. */
interface OllamaCall {
  readonly name: string;
  readonly arguments: object;
}

/** A request for an answer. */
export interface Question {
  readonly prompt: readonly number[];
  readonly options: InnerGenerateOptions;
  /** Default: the answer contains no calls. */
  readonly createParser?: (() => ToolCallParser) | undefined;
  /** The fields that carry the content. */
  readonly content: (part: AnswerContent) => object;
  readonly stream: boolean;
  /** Nanoseconds that the request waited for its model. They are part of the total. */
  readonly loadDuration: number;
  /** Further fields of the last part. */
  readonly moreFields: object;
}

/** Whether the answer is sent as a stream. */
export const streamPart: RequestPart<boolean> = requestPart(
  { stream: optional(z.boolean()) },
  ({ stream = true }) => stream,
);

/** A part of an answer. The last part has `end`, the fields about the whole. */
interface AnswerPart extends AnswerContent {
  readonly end?: object;
}

/** Writes one text: as lines of JSON, or as one object. */
export async function answer(
  service: Service,
  context: Context,
  { prompt, options, createParser = createTextParser, content, stream, loadDuration, moreFields }: Question,
): Promise<Response> {
  const startedMs = performance.now();
  const started = await startJobs(service, context, [{ prompt, options }], { stream });
  const parts = parseParts(started, createParser(), { startedMs, loadDuration, moreFields });
  const describe = ({ end = { done: false }, ...part }: AnswerPart): object => ({
    model: service.name,
    created_at: new Date().toISOString(),
    ...content(part),
    ...end,
  });

  if (!stream) {
    let whole: AnswerPart = nothing;
    for await (const { text, thinking, calls, ...rest } of parts) {
      whole = {
        text: whole.text + text,
        thinking: whole.thinking + thinking,
        calls: [...whole.calls, ...calls],
        ...rest,
      };
    }
    return Response.json(describe(whole));
  }
  async function* lines(): AsyncGenerator<string, void, void> {
    try {
      for await (const part of parts) yield `${JSON.stringify(describe(part))}\n`;
    } catch (error) {
      yield `${JSON.stringify(failureBody(failureOf(error)))}\n`;
    }
  }
  return streamingResponse(lines(), "application/x-ndjson", started.work);
}

const nothing: AnswerContent = { text: "", thinking: "", calls: [] };

/** Collects the parts of each call. A call whose arguments are not JSON, or cut, is text. */
function createCallCollector(): (parts: readonly ParsedPart[]) => AnswerContent[] {
  let [name, whole] = ["", ""];
  return (parts) =>
    parts.flatMap((part): AnswerContent[] => {
      if (part.kind === "text") return [{ ...nothing, text: part.text }];
      if (part.kind === "callBegin") [name, whole] = [part.name, ""];
      else if (part.kind === "arguments") whole += part.text;
      else {
        const given = argumentsOf(whole);
        if (given === undefined) return [{ ...nothing, text: `{"name": "${name}", "arguments": ${whole}` }];
        return [{ ...nothing, calls: [{ name, arguments: given }] }];
      }
      return [];
    });
}

interface TimedStart {
  readonly startedMs: number;
}

async function* parseParts(
  { pieces }: StartedJobs,
  parser: ToolCallParser,
  { startedMs, loadDuration, moreFields }: Pick<Question, "loadDuration" | "moreFields"> & TimedStart,
): AsyncGenerator<AnswerPart, void, void> {
  let firstMs: number | undefined;
  const collect = createCallCollector();
  for await (const { piece } of pieces) {
    const { text, thinking, finishReason, usage } = piece;
    firstMs ??= performance.now();
    // A call that the model thinks of is no call.
    if (thinking !== true) yield* collect(parser.push(text));
    else if (text !== "") yield { ...nothing, thinking: text };
    if (finishReason === undefined || finishReason === "abort") continue;
    yield* collect(parser.end());
    const nowMs = performance.now();
    const end = {
      done: true,
      done_reason: finishReason,
      total_duration: loadDuration + nanoseconds(nowMs - startedMs),
      load_duration: loadDuration,
      prompt_eval_count: usage?.promptTokens,
      prompt_eval_duration: nanoseconds(firstMs - startedMs),
      eval_count: usage?.generatedTokens,
      eval_duration: nanoseconds(nowMs - firstMs),
      ...moreFields,
    };
    yield { ...nothing, end };
  }
}
