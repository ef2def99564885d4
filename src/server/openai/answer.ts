import type { Context } from "hono";
import { z } from "zod";
import type { GeneratedPiece } from "../../generation/generated-piece.js";
import type { InnerGenerateOptions } from "../../generation/resolve-options.js";
import type { Tokenizer } from "../../text/tokenizer.js";
import { type IndexedPiece, startJobs } from "../jobs.js";
import { optional, type RequestPart, requestPart } from "../requests/body.js";
import {
  type Choice,
  type ChoiceContent,
  type ChoiceEnd,
  createChoice,
  joinContent,
  type WholeContent,
} from "../requests/choice.js";
import { newId } from "../requests/ids.js";
import { createTextParser, type ToolCallParser } from "../requests/tool-call-parser.js";
import type { Service } from "../service.js";
import { eventStream } from "./event-stream.js";
import { type DescribeLogprobs, textPieces } from "./logprobs.js";
import { severalTimes } from "./sampling.js";
import { sumUsage } from "./usage.js";

/** The differences between answers of chat completions and of completions. */
export interface AnswerShape {
  readonly idPrefix: string;
  readonly object: string;
  readonly chunkObject: string;
  /** A choice of a whole answer, without its index. */
  readonly choice: (content: WholeContent, finishReason: ChoiceEnd) => object;
  /** A choice of a chunk, without its index. A chunk has content, or a finish reason. */
  readonly chunkChoice: (content: ChoiceContent, finishReason: ChoiceEnd | null) => object;
  /** The choice of a chunk that comes before any text. */
  readonly firstChoice?: object;
  readonly describeLogprobs: DescribeLogprobs;
}

/** The content of an answer. */
export interface Question {
  readonly prompts: readonly (readonly number[])[];
  readonly options: InnerGenerateOptions;
  /** Default: the answer contains no calls. */
  readonly createParser?: (() => ToolCallParser) | undefined;
  readonly delivery: Delivery;
  readonly shape: AnswerShape;
  /** Further fields of the whole answer and of each chunk. */
  readonly moreFields: object;
}

/** The number of texts and how they are sent. */
export interface Delivery {
  readonly textsPerPrompt: number;
  readonly stream: boolean;
  /** Whether a stream ends with the numbers of tokens. */
  readonly withUsage: boolean;
}

export const deliveryPart: RequestPart<Delivery> = requestPart(
  {
    n: optional(z.int().min(1).max(16)),
    stream: optional(z.boolean()),
    stream_options: optional(z.object({ include_usage: optional(z.boolean()) })),
  },
  ({ n = 1, stream = false, stream_options: options }) => ({
    textsPerPrompt: n,
    stream,
    withUsage: options?.include_usage === true,
  }),
);

/** An answer being written. */
interface Answer {
  /** The fields of the whole answer and of each chunk. */
  readonly head: { readonly id: string; readonly created: number; readonly model: string };
  readonly pieces: AsyncIterable<IndexedPiece>;
  readonly choices: readonly Choice[];
  readonly textsPerPrompt: number;
  readonly shape: AnswerShape;
  /** Undefined if the request does not ask for log-probabilities. */
  readonly logprobTokenizer: Tokenizer | undefined;
}

const noContent: ChoiceContent = { text: "", thinking: "", call: undefined };

/** Writes the texts of a request, as a whole or as a stream of chunks. */
export async function answer(
  service: Service,
  context: Context,
  { prompts, options, createParser = createTextParser, delivery, shape, moreFields }: Question,
): Promise<Response> {
  const { textsPerPrompt, stream, withUsage } = delivery;
  const jobs = prompts.flatMap((prompt) =>
    severalTimes(options, textsPerPrompt).map((each) => ({ prompt, options: each })),
  );
  const { pieces, work } = await startJobs(service, context, jobs, { stream });
  const written: Answer = {
    head: {
      id: newId(`${shape.idPrefix}-`),
      created: Math.floor(Date.now() / 1000),
      model: service.name,
      ...moreFields,
    },
    pieces,
    choices: jobs.map(() => createChoice(createParser())),
    textsPerPrompt,
    shape,
    logprobTokenizer: options.logprobs === true ? service.tokenizer : undefined,
  };
  if (!stream) return Response.json(await collect(written));
  return eventStream(chunks(written, { withUsage }), work);
}

/** The whole answer, when all pieces are there. */
async function collect(answer: Answer): Promise<object> {
  const { head, pieces, choices, textsPerPrompt, shape, logprobTokenizer: tokenizer } = answer;
  const texts = choices.map(() => ({ contents: [] as ChoiceContent[], pieces: [] as GeneratedPiece[] }));
  for await (const { index, piece } of pieces) {
    const [choice, whole] = [choices[index], texts[index]];
    if (choice === undefined || whole === undefined) continue;
    whole.contents.push(...choice.push(piece));
    if (tokenizer !== undefined) whole.pieces.push(piece);
  }
  return {
    ...head,
    object: shape.object,
    choices: texts.map((whole, index) => ({
      index,
      ...shape.choice(joinContent(whole.contents), choices[index]?.finishReason ?? "stop"),
      logprobs:
        tokenizer === undefined
          ? null
          : shape.describeLogprobs(tokenizer, textPieces(tokenizer, whole.pieces), 0),
    })),
    usage: usageOf(choices, textsPerPrompt),
  };
}

/** The answer as OpenAI's chunks, one or two per piece. */
async function* chunks(
  { head, pieces, choices, textsPerPrompt, shape, logprobTokenizer: tokenizer }: Answer,
  { withUsage }: { readonly withUsage: boolean },
): AsyncGenerator<object, void, void> {
  const chunk = (index: number, choice: object, logprobs: object | null = null): object => ({
    ...head,
    object: shape.chunkObject,
    choices: [{ index, ...choice, logprobs }],
    // OpenAI sends `usage: null` in every chunk but the last.
    ...(withUsage ? { usage: null } : {}),
  });
  if (shape.firstChoice !== undefined) {
    for (const index of choices.keys()) yield chunk(index, shape.firstChoice);
  }
  /** Characters so far, by choice. */
  const lengths = choices.map(() => 0);
  for await (const { index, piece } of pieces) {
    const choice = choices[index];
    if (choice === undefined) continue;
    const contents = choice.push(piece).filter(isShown);
    const begin = lengths[index] ?? 0;
    const tokens = tokenizer === undefined ? [] : textPieces(tokenizer, [piece]);
    const logprobs =
      tokenizer === undefined || tokens.length === 0
        ? null
        : shape.describeLogprobs(tokenizer, tokens, begin);
    lengths[index] = begin + joinContent(contents).text.length;
    const shown = contents.length === 0 && logprobs !== null ? [noContent] : contents;
    // The first chunk of a piece has the probabilities of its tokens.
    for (const [at, content] of shown.entries()) {
      yield chunk(index, shape.chunkChoice(content, null), at === 0 ? logprobs : null);
    }
    if (choice.finishReason !== undefined)
      yield chunk(index, shape.chunkChoice(noContent, choice.finishReason));
  }
  if (!withUsage) return;
  yield { ...head, object: shape.chunkObject, choices: [], usage: usageOf(choices, textsPerPrompt) };
}

/** The end of a call has no chunk. */
function isShown({ call }: ChoiceContent): boolean {
  return call === undefined || call.begins || call.text !== "";
}

function usageOf(choices: readonly Choice[], textsPerPrompt: number): object {
  return sumUsage(
    choices.map(({ usage }) => usage),
    textsPerPrompt,
  );
}
