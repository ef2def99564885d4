import type { Context } from "hono";
import { z } from "zod";
import type { Grammar } from "../../grammar/grammar.js";
import type { GenerateOptions } from "../../options/generate-options.js";
import type { ToolCall } from "../../text/chat-template.js";
import { checkBody, optional } from "../body.js";
import { describeFailure, failureBody } from "../failures.js";
import { optionFields } from "../option-fields.js";
import type { Service } from "../service.js";
import { streamed } from "../streamed.js";
import { startTexts } from "../texts.js";
import { createPlainReader, type Reading, type ToolReader } from "../tool-reader.js";

const fields = optionFields(({ ollama }) => ollama);
const schema = z.object({
  stream: optional(z.boolean()),
  options: optional(z.object(fields.shape)),
});

/** Ollama writes a negative seed for a random one, and 0 or a negative `num_predict` for no limit. */
function readOptions({ options = {} }: z.infer<typeof schema>): GenerateOptions {
  const { seed = -1, maxTokens = -1, ...rest } = fields.read(options);
  return {
    ...rest,
    seed: seed < 0 ? undefined : seed,
    maxTokens: maxTokens <= 0 ? undefined : maxTokens,
  };
}

/** A request to answer. */
export interface OllamaQuestion {
  readonly prompt: readonly number[];
  readonly grammar: Grammar | undefined;
  readonly openReader?: (() => ToolReader) | undefined;
  /** The fields of the answer that carry a text. */
  readonly content: (text: string, calls: readonly ToolCall[]) => object;
}

/** Writes one text in Ollama's form: lines of JSON, or one object. */
export async function ollamaAnswer(
  service: Service,
  context: Context,
  body: unknown,
  { prompt, grammar, openReader = createPlainReader, content }: OllamaQuestion,
): Promise<Response> {
  const request = checkBody(schema, body);
  const { stream = true } = request;
  const startedMs = performance.now();
  const job = { prompt, options: { ...readOptions(request), grammar } };
  const started = await startTexts(service, context, [job], { stream });
  const reader = openReader();
  const nanoseconds = (fromMs: number, toMs: number): number => Math.round((toMs - fromMs) * 1e6);
  const object = ({ text, calls }: Reading, rest: object): object => ({
    model: service.name,
    created_at: new Date().toISOString(),
    ...content(text, calls),
    ...rest,
  });

  async function* objects(): AsyncGenerator<Reading & { readonly end?: object }, void, void> {
    let firstMs: number | undefined;
    for await (const { piece } of started.pieces) {
      const { text, finishReason, usage } = piece;
      firstMs ??= performance.now();
      const reading = reader.push(text);
      if (reading.text !== "" || reading.calls.length > 0) yield reading;
      if (finishReason === undefined || finishReason === "abort") continue;
      const rest = reader.end();
      if (rest.text !== "" || rest.calls.length > 0) yield rest;
      const nowMs = performance.now();
      const end = {
        done: true,
        done_reason: finishReason,
        total_duration: nanoseconds(startedMs, nowMs),
        load_duration: 0,
        prompt_eval_count: usage?.promptTokens,
        prompt_eval_duration: nanoseconds(startedMs, firstMs),
        eval_count: usage?.generatedTokens,
        eval_duration: nanoseconds(firstMs, nowMs),
      };
      yield { text: "", calls: [], end };
    }
  }

  if (!stream) {
    let all: Reading = { text: "", calls: [] };
    let last: object = { done: false };
    for await (const { text, calls, end } of objects()) {
      all = { text: all.text + text, calls: [...all.calls, ...calls] };
      last = end ?? last;
    }
    return Response.json(object(all, last));
  }
  async function* lines(): AsyncGenerator<string, void, void> {
    try {
      for await (const { end, ...reading } of objects())
        yield `${JSON.stringify(object(reading, end ?? { done: false }))}\n`;
    } catch (error) {
      yield `${JSON.stringify(failureBody(describeFailure(error), "/api/"))}\n`;
    }
  }
  return streamed(lines(), "application/x-ndjson", started.work);
}
