import type { Context } from "hono";
import { z } from "zod";
import type { Usage } from "../../generation/generate-piece.js";
import { checkBody, optional } from "../body.js";
import type { Service } from "../service.js";
import { startTexts, type TextJob, type WholeText, wholeTexts } from "../texts.js";
import { eventStream } from "./events.js";
import { readSampling, severalTimes } from "./sampling.js";
import { sumUsage } from "./usage.js";

/** In what chat completions and completions differ. */
export interface AnswerShape {
  readonly idPrefix: string;
  readonly object: string;
  readonly chunkObject: string;
  /** A choice of a whole answer, but for its index. */
  readonly choice: (text: WholeText) => object;
  /** A choice of a chunk, but for its index: with text, or at the end with its reason. */
  readonly chunkChoice: (text: string, finishReason: "stop" | "length" | null) => object;
  /** What comes before a choice's first text. */
  readonly firstChoice?: object;
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
  prompts: readonly (readonly number[])[],
  shape: AnswerShape,
): Promise<Response> {
  const { n = 1, stream = false, stream_options: streamOptions } = checkBody(schema, body);
  const options = readSampling(body);
  const jobs: TextJob[] = prompts.flatMap((prompt) =>
    severalTimes(options, n).map((each) => ({ prompt, options: each })),
  );
  const started = await startTexts(service, context, jobs);
  const head = {
    id: `${shape.idPrefix}-${crypto.randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model: service.name,
  };
  if (!stream) {
    const texts = await wholeTexts(started);
    return Response.json({
      ...head,
      object: shape.object,
      choices: texts.map((text, index) => ({ index, ...shape.choice(text), logprobs: null })),
      usage: sumUsage(
        texts.map(({ usage }) => usage),
        n,
      ),
    });
  }

  const withUsage = streamOptions?.include_usage === true;
  async function* chunks(): AsyncGenerator<object, void, void> {
    const usages: Usage[] = [];
    const chunk = (index: number, choice: object): object => ({
      ...head,
      object: shape.chunkObject,
      choices: [{ index, ...choice, logprobs: null }],
      // All others have null where the last has it.
      ...(withUsage ? { usage: null } : {}),
    });
    if (shape.firstChoice !== undefined) {
      for (const index of jobs.keys()) yield chunk(index, shape.firstChoice);
    }
    for await (const { index, piece } of started.pieces) {
      if (piece.text !== "") yield chunk(index, shape.chunkChoice(piece.text, null));
      if (piece.finishReason === undefined || piece.finishReason === "abort") continue;
      if (piece.usage !== undefined) usages[index] = piece.usage;
      yield chunk(index, shape.chunkChoice("", piece.finishReason));
    }
    if (withUsage) {
      yield { ...head, object: shape.chunkObject, choices: [], usage: sumUsage(usages, n) };
    }
  }
  return eventStream(chunks(), started);
}
