import { startThread } from "#platform";
import { BitNetError } from "../errors.js";
import type { GeneratedPiece } from "../generation/generated-piece.js";
import { embeddedModelUrl, type ModelSource } from "../language-model/find-source.js";
import type { LoadOptions } from "../language-model/load-options.js";
import type { ModelInfo } from "../language-model/model-info.js";
import type { ChatMessage } from "../text/chat-template.js";
import { type Calls, createCalls, ownReason } from "./calls.js";
import { rootTarget, type ServedMessage } from "./messages.js";
import type { WorkerChat, WorkerModel } from "./worker-model.js";

/**
 * Loads a model in a worker of its own, so that no pass holds the event loop of the caller. In a page that is
 * not cross-origin isolated, the model of `loadModel` runs in the page itself and does hold it.
 *
 * The options and the results are copied by structured clone. A `File` or a `Blob` is handed over without a
 * copy. An `ArrayBuffer` or a `Uint8Array` is copied.
 *
 * @param source Default: the embedded model.
 * @param options those of `loadModel`. `workerUrl` is also the address of the model's own worker: one script
 *   serves both.
 * @example
 * await using model = await createWorkerModel("https://example.com/model.gguf");
 * for await (const piece of model.generate("Once upon a time")) document.body.append(piece.text);
 * @throws BitNetError as `loadModel`; WORKER_FAILED if the worker cannot be started. Rejects with
 *   `options.signal.reason`.
 */
export async function createWorkerModel(
  source: ModelSource = embeddedModelUrl,
  options: LoadOptions = {},
): Promise<WorkerModel> {
  // Structured clone refuses URLs.
  const plain = <T>(value: T): T | string => (value instanceof URL ? value.href : value);
  const script = (options as LoadOptions | null)?.workerUrl;
  const thread = startThread({
    name: "bitnet-model",
    role: "model",
    script,
    onMessage: (message) => calls.receive(message as ServedMessage),
    onFailure: (cause) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      calls.fail(
        new BitNetError("WORKER_FAILED", `The model's worker failed (${why}); load the model again`, {
          cause,
        }),
      );
    },
  });
  const calls = createCalls(
    (message) => thread.post(message),
    (state) => (state === "busy" ? thread.ref() : thread.unref()),
  );
  try {
    const sent = script instanceof URL ? { ...options, workerUrl: script.href } : options;
    const loading = calls.send(rootTarget, "load", [plain(source)], sent);
    try {
      const info = (await loading.result) as ModelInfo;
      return describeModel(calls, loading.id, info, () => thread.stop());
    } catch (error) {
      throw ownReason(error, options);
    } finally {
      loading.release();
    }
  } catch (error) {
    await thread.stop();
    throw error;
  }
}

function describeModel(
  calls: Calls,
  target: number,
  info: ModelInfo,
  stop: () => Promise<void>,
): WorkerModel {
  const model: WorkerModel = {
    info,
    generate: (prompt, options) => readPieces(calls, target, "generate", [prompt], options ?? {}),
    complete: async (prompt, options = {}) =>
      (await calls.run(target, "complete", [prompt], options)) as string,
    embed: async (texts, options = {}) =>
      (await calls.run(target, "embed", [texts], options)) as Float32Array<ArrayBuffer>[],
    async chat(options = {}): Promise<WorkerChat> {
      const opening = calls.send(target, "chat", [], options);
      try {
        await opening.result;
        return describeChat(calls, opening.id);
      } finally {
        opening.release();
      }
    },
    tokenize: async (text, options = {}) =>
      (await calls.run(target, "tokenize", [text], options)) as number[],
    detokenize: async (ids) => (await calls.run(target, "detokenize", [ids])) as string,
    async dispose(): Promise<void> {
      calls.fail(new BitNetError("DISPOSED", "The model has been disposed"));
      await stop();
    },
    [Symbol.asyncDispose](): Promise<void> {
      return model.dispose();
    },
  };
  return model;
}

function describeChat(calls: Calls, target: number): WorkerChat {
  let closing: Promise<unknown> | undefined;
  const chat: WorkerChat = {
    get messages() {
      return calls.run(target, "messages", []) as Promise<readonly ChatMessage[]>;
    },
    get droppedMessages() {
      return calls.run(target, "droppedMessages", []) as Promise<number>;
    },
    send: (text, options) => readPieces(calls, target, "send", [text], options ?? {}),
    continueLast: (options) => readPieces(calls, target, "continueLast", [], options ?? {}),
    async restart(messages): Promise<void> {
      await calls.run(target, "restart", [messages]);
    },
    async dispose(): Promise<void> {
      await (closing ??= close(calls, target));
    },
    [Symbol.asyncDispose](): Promise<void> {
      return chat.dispose();
    },
  };
  return chat;
}

/** The pieces of a text. Each is asked for when the consumer wants it, so the worker never runs ahead. */
async function* readPieces(
  calls: Calls,
  target: number,
  method: string,
  args: readonly unknown[],
  options: unknown,
): AsyncGenerator<GeneratedPiece, void, void> {
  const opening = calls.send(target, method, args, options);
  try {
    await opening.result;
    for (;;) {
      const next = (await calls.run(opening.id, "next", [])) as IteratorResult<GeneratedPiece, void>;
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    throw ownReason(error, options);
  } finally {
    // A text that the consumer leaves must have ended before the next one of its chat begins.
    await close(calls, opening.id);
    opening.release();
  }
}

/** Frees an object in the worker. A worker that has ended has freed it. */
async function close(calls: Calls, target: number): Promise<void> {
  try {
    await calls.run(target, "close", []);
  } catch (error) {
    if (!(error instanceof BitNetError) || !["DISPOSED", "WORKER_FAILED"].includes(error.code)) throw error;
  }
}
