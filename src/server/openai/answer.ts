import type { Context } from "hono";
import { z } from "zod";
import type { GeneratedPiece, Usage } from "../../generation/generated-piece.js";
import type { Grammar } from "../../grammar/grammar.js";
import type { ToolCall } from "../../text/chat-template.js";
import { checkBody, optional } from "../body.js";
import type { Service } from "../service.js";
import { startTexts, type TextJob } from "../texts.js";
import { createPlainReader, type ToolReader } from "../tool-reader.js";
import { eventStream } from "./events.js";
import { type LogprobShape, textPieces } from "./logprobs.js";
import { readSampling, severalTimes } from "./sampling.js";
import { sumUsage } from "./usage.js";

export type OpenAiFinishReason = "stop" | "length" | "tool_calls";

/** A call and its number among the calls of an answer. */
export interface NumberedCall extends ToolCall {
  readonly index: number;
  readonly id: string;
}

/** In what chat completions and completions differ. */
export interface AnswerShape {
  readonly idPrefix: string;
  readonly object: string;
  readonly chunkObject: string;
  /** A choice of a whole answer, but for its index. */
  readonly choice: (text: string, finishReason: OpenAiFinishReason, calls: readonly NumberedCall[]) => object;
  /** A choice of a chunk, but for its index: with text and calls, or at the end with its reason. */
  readonly chunkChoice: (
    text: string,
    finishReason: OpenAiFinishReason | null,
    calls: readonly NumberedCall[],
  ) => object;
  /** What comes before a choice's first text. */
  readonly firstChoice?: object;
  readonly logprobs: LogprobShape;
}

/** What is to be answered. */
export interface Question {
  readonly prompts: readonly (readonly number[])[];
  readonly grammar?: Grammar | undefined;
  readonly openReader?: (() => ToolReader) | undefined;
}

const schema = z.object({
  n: optional(z.int().min(1).max(16)),
  stream: optional(z.boolean()),
  stream_options: optional(z.object({ include_usage: optional(z.boolean()) })),
});

/** Writes what a request asks for, as a whole or as a stream. */
export async function answer(
  service: Service,
  context: Context,
  body: unknown,
  { prompts, grammar, openReader = createPlainReader }: Question,
  shape: AnswerShape,
): Promise<Response> {
  const { n = 1, stream = false, stream_options: streamOptions } = checkBody(schema, body);
  const wanted = shape.logprobs.read(body);
  const options = { ...readSampling(body), ...wanted, grammar };
  const jobs: TextJob[] = prompts.flatMap((prompt) =>
    severalTimes(options, n).map((each) => ({ prompt, options: each })),
  );
  const { pieces, work } = await startTexts(service, context, jobs, { stream });
  const head = {
    id: `${shape.idPrefix}-${crypto.randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model: service.name,
  };
  const { tokenizer } = service.model;
  const choices = jobs.map(() => createChoice(openReader()));

  if (!stream) {
    const texts = choices.map(() => ({
      text: "",
      calls: [] as NumberedCall[],
      pieces: [] as GeneratedPiece[],
    }));
    for await (const { index, piece } of pieces) {
      const [choice, whole] = [choices[index], texts[index]];
      if (choice === undefined || whole === undefined) continue;
      const { text, calls } = choice.read(piece);
      whole.text += text;
      whole.calls.push(...calls);
      if (wanted.logprobs === true) whole.pieces.push(piece);
    }
    return Response.json({
      ...head,
      object: shape.object,
      choices: texts.map((whole, index) => ({
        index,
        ...shape.choice(whole.text, choices[index]?.finishReason ?? "stop", whole.calls),
        logprobs:
          wanted.logprobs === true
            ? shape.logprobs.describe(tokenizer, textPieces(tokenizer, whole.pieces), 0)
            : null,
      })),
      usage: sumUsage(
        choices.map(({ usage }) => usage),
        n,
      ),
    });
  }

  const withUsage = streamOptions?.include_usage === true;
  async function* chunks(): AsyncGenerator<object, void, void> {
    const chunk = (index: number, choice: object, logprobs: object | null = null): object => ({
      ...head,
      object: shape.chunkObject,
      choices: [{ index, ...choice, logprobs }],
      // All others have null where the last has it.
      ...(withUsage ? { usage: null } : {}),
    });
    if (shape.firstChoice !== undefined) {
      for (const index of jobs.keys()) yield chunk(index, shape.firstChoice);
    }
    const written = choices.map(() => 0);
    for await (const { index, piece } of pieces) {
      const choice = choices[index];
      if (choice === undefined) continue;
      const { text, calls } = choice.read(piece);
      const tokens = wanted.logprobs === true ? textPieces(tokenizer, [piece]) : [];
      const logprobs =
        tokens.length > 0 ? shape.logprobs.describe(tokenizer, tokens, written[index] ?? 0) : null;
      written[index] = (written[index] ?? 0) + text.length;
      if (text !== "" || calls.length > 0 || logprobs !== null)
        yield chunk(index, shape.chunkChoice(text, null, calls), logprobs);
      if (choice.finishReason !== undefined)
        yield chunk(index, shape.chunkChoice("", choice.finishReason, []));
    }
    if (withUsage) {
      const usage = sumUsage(
        choices.map((choice) => choice.usage),
        n,
      );
      yield { ...head, object: shape.chunkObject, choices: [], usage };
    }
  }
  return eventStream(chunks(), work);
}

interface Choice {
  /** What a piece adds to it. */
  read(piece: GeneratedPiece): { readonly text: string; readonly calls: readonly NumberedCall[] };
  /** Undefined until it has ended. */
  readonly finishReason: OpenAiFinishReason | undefined;
  readonly usage: Usage;
}

function createChoice(reader: ToolReader): Choice {
  let finishReason: OpenAiFinishReason | undefined;
  let usage: Usage = { promptTokens: 0, generatedTokens: 0 };
  let called = 0;
  return {
    read(piece): { readonly text: string; readonly calls: readonly NumberedCall[] } {
      const readings = [reader.push(piece.text)];
      const ended = piece.finishReason !== undefined && piece.finishReason !== "abort";
      if (ended) readings.push(reader.end());
      const calls = readings
        .flatMap((reading) => reading.calls)
        .map((call) => ({ ...call, index: called++, id: `call_${crypto.randomUUID().replaceAll("-", "")}` }));
      if (piece.usage !== undefined) ({ usage } = piece);
      if (ended) {
        finishReason = called > 0 ? "tool_calls" : piece.finishReason === "length" ? "length" : "stop";
      }
      return { text: readings.map(({ text }) => text).join(""), calls };
    },
    get finishReason() {
      return finishReason;
    },
    get usage() {
      return usage;
    },
  };
}
