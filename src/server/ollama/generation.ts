import type { Context } from "hono";
import { z } from "zod";
import type { Grammar } from "../../grammar/grammar.js";
import type { GenerateOptions } from "../../generation/resolve-options.js";
import type { ToolCall } from "../../text/chat-template.js";
import { checkBody, optional } from "../body.js";
import { describeFailure, failureBody } from "../failures.js";
import type { Service } from "../service.js";
import { streamed } from "../streamed.js";
import { startTexts } from "../texts.js";
import { createPlainReader, type Reading, type ToolReader } from "../tool-reader.js";

const schema = z.object({
  stream: optional(z.boolean()),
  options: optional(
    z.object({
      temperature: optional(z.number().min(0)),
      top_k: optional(z.int().min(0)),
      top_p: optional(z.number().min(0).max(1)),
      min_p: optional(z.number().min(0).max(1)),
      seed: optional(z.int()),
      num_predict: optional(z.int().min(-2)),
      stop: optional(z.union([z.string().min(1), z.array(z.string().min(1)).max(64)])),
      repeat_penalty: optional(z.number().positive()),
      repeat_last_n: optional(z.int().min(-1)),
      presence_penalty: optional(z.number().min(-2).max(2)),
      frequency_penalty: optional(z.number().min(-2).max(2)),
    }),
  ),
});

function readOptions({ options }: z.infer<typeof schema>): GenerateOptions {
  const { num_predict: most = -1, seed = -1 } = options ?? {};
  return {
    temperature: options?.temperature,
    topK: options?.top_k,
    topP: options?.top_p,
    minP: options?.min_p,
    // Ollama's −1 is by chance.
    seed: seed < 0 ? undefined : seed,
    maxTokens: most <= 0 ? undefined : most,
    stop: options?.stop,
    repeatPenalty: options?.repeat_penalty,
    repeatLastN: options?.repeat_last_n,
    presencePenalty: options?.presence_penalty,
    frequencyPenalty: options?.frequency_penalty,
  };
}

/** What is to be answered, and how. */
export interface OllamaQuestion {
  readonly prompt: readonly number[];
  readonly grammar: Grammar | undefined;
  readonly openReader?: (() => ToolReader) | undefined;
  /** The fields that carry a text. */
  readonly content: (text: string, calls: readonly ToolCall[]) => object;
}

/** Writes one text as Ollama does: lines of JSON, or one object. */
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
