import type {
  LanguageModelV3,
  LanguageModelV3Content,
  LanguageModelV3FinishReason,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamPart,
  LanguageModelV3StreamResult,
  LanguageModelV3Usage,
} from "@ai-sdk/provider";
import type { Usage } from "../generation/generated-piece.js";
import type { Scheduler } from "../generation/scheduling/scheduler.js";
import { internalsOf } from "../language-model/internals.js";
import type { LanguageModel } from "../language-model/language-model.js";
import { type CallPart, type ChoiceEnd, createChoice } from "../server/requests/choice.js";
import { createChatTemplate } from "../text/chat-template.js";
import { prepareCall, type PreparedCall, type PromptParts } from "./prepare-call.js";

type Part = LanguageModelV3StreamPart;

/** Calls of one model share passes and KV caches, so a tool loop evaluates its messages once. */
const schedulers = new WeakMap<LanguageModel, Scheduler>();

/** @throws BitNetError INVALID_ARGUMENT for an object that `loadModel` did not make; MODEL_INVALID. */
export function createChatModel(model: LanguageModel): LanguageModelV3 {
  const { tokenizer } = internalsOf(model);
  const { contextLength, name } = model.info;
  const parts: PromptParts = { tokenizer, template: createChatTemplate(tokenizer), contextLength };
  const answer = (call: PreparedCall): AsyncGenerator<Part, void, void> =>
    streamParts(schedulerOf(model), call);
  return {
    specificationVersion: "v3",
    provider: "bitnet.chat",
    modelId: name,
    supportedUrls: {},
    async doGenerate(options): Promise<LanguageModelV3GenerateResult> {
      const call = await prepareCall(parts, options);
      const content: LanguageModelV3Content[] = [];
      for await (const part of answer(call)) {
        if (part.type === "finish") {
          const { finishReason, usage } = part;
          return { content, finishReason, usage, warnings: call.warnings };
        }
        addPart(content, part);
      }
      throw new Error("the answer has no end");
    },
    async doStream(options): Promise<LanguageModelV3StreamResult> {
      const call = await prepareCall(parts, options);
      return { stream: streamOf(answer(call)) };
    },
  };
}

function schedulerOf(model: LanguageModel): Scheduler {
  let scheduler = schedulers.get(model);
  if (scheduler === undefined) schedulers.set(model, (scheduler = model.createScheduler()));
  return scheduler;
}

/** The parts of an answer, in the order of the specification. */
async function* streamParts(
  scheduler: Scheduler,
  { prompt, options, parser, warnings }: PreparedCall,
): AsyncGenerator<Part, void, void> {
  yield { type: "stream-start", warnings };
  const choice = createChoice(parser);
  const blocks = createBlocks();
  for await (const piece of scheduler.generate(prompt, options)) {
    for (const { text, thinking, call } of choice.push(piece)) {
      if (thinking !== "") yield* blocks.write("reasoning", thinking);
      if (text !== "") yield* blocks.write("text", text);
      if (call === undefined) continue;
      if (call.begins) yield* blocks.end();
      yield* callParts(call);
    }
  }
  yield* blocks.end();
  yield { type: "finish", finishReason: endOf(choice.finishReason), usage: describeUsage(choice.usage) };
}

/** Texts and thoughts, each between its start and its end. */
function createBlocks(): {
  write(kind: "text" | "reasoning", delta: string): Generator<Part, void, void>;
  end(): Generator<Part, void, void>;
} {
  let open: "text" | "reasoning" | undefined;
  let count = 0;
  const id = (): string => String(count);
  function* end(): Generator<Part, void, void> {
    if (open !== undefined) yield { type: `${open}-end`, id: id() };
    open = undefined;
  }
  return {
    end,
    *write(kind, delta): Generator<Part, void, void> {
      if (open !== kind) {
        yield* end();
        open = kind;
        count += 1;
        yield { type: `${kind}-start`, id: id() };
      }
      yield { type: `${kind}-delta`, id: id(), delta };
    },
  };
}

/** A part of a call: its beginning, further text of its arguments, or its end. */
function* callParts({ id, name, begins, text, whole }: CallPart): Generator<Part, void, void> {
  if (begins) yield { type: "tool-input-start", id, toolName: name };
  if (text !== "") yield { type: "tool-input-delta", id, delta: text };
  if (whole === undefined) return;
  yield { type: "tool-input-end", id };
  yield { type: "tool-call", toolCallId: id, toolName: name, input: whole };
}

/** Adds a part of a stream to the content of a whole answer. */
function addPart(content: LanguageModelV3Content[], part: Part): void {
  if (part.type === "tool-call") content.push(part);
  else if (part.type === "text-start") content.push({ type: "text", text: "" });
  else if (part.type === "reasoning-start") content.push({ type: "reasoning", text: "" });
  else if (part.type === "text-delta" || part.type === "reasoning-delta") {
    const last = content.at(-1);
    if (last?.type === "text" || last?.type === "reasoning") last.text += part.delta;
  }
}

/** Leaving the stream stops the work. */
function streamOf(parts: AsyncGenerator<Part, void, void>): ReadableStream<Part> {
  return new ReadableStream<Part>({
    async pull(controller): Promise<void> {
      const { done, value } = await parts.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel(): Promise<void> {
      await parts.return();
    },
  });
}

const ends: Readonly<Record<ChoiceEnd, LanguageModelV3FinishReason["unified"]>> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool-calls",
};

function endOf(end: ChoiceEnd | undefined): LanguageModelV3FinishReason {
  return { unified: end === undefined ? "other" : ends[end], raw: end };
}

function describeUsage({ promptTokens, generatedTokens, thinkingTokens = 0 }: Usage): LanguageModelV3Usage {
  return {
    inputTokens: { total: promptTokens, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: {
      total: generatedTokens,
      text: generatedTokens - thinkingTokens,
      reasoning: thinkingTokens,
    },
  };
}
