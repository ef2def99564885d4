// The side of the worker: it loads the model and runs the calls on it.
import { BitNetError } from "../errors.js";
import type { Chat, SendOptions } from "../generation/chat.js";
import type { EmbedOptions } from "../generation/embed-options.js";
import type { GeneratedPiece } from "../generation/generated-piece.js";
import type { ModelSource } from "../language-model/find-source.js";
import type { ChatOptions, LanguageModel } from "../language-model/language-model.js";
import { loadModel } from "../language-model/load-model.js";
import type { LoadOptions } from "../language-model/load-options.js";
import type { GenerateOptions } from "../options/generate-options.js";
import type { WorkerPort } from "../platform/thread.js";
import type { ChatMessage } from "../text/chat-template.js";
import type { EncodeOptions } from "../text/tokenizer.js";
import { type CallerMessage, encodeError, rootTarget, type ServedMessage } from "./messages.js";

/** The functions of an object that the caller may call, by name. The model checks their arguments. */
type Methods = Readonly<Record<string, (...args: readonly never[]) => unknown>>;

/** The result of a call that opens an object. */
class Opened {
  readonly methods: Methods;
  /** The answer to the caller. */
  readonly value: unknown;

  constructor(methods: Methods, value?: unknown) {
    this.methods = methods;
    this.value = value;
  }
}

/**
 * Serves the calls of a `WorkerModel`.
 *
 * @param script address of this worker's own script, which also serves as a thread of the model's team.
 */
export function serveModel(port: WorkerPort, script: string | undefined): void {
  const post = (message: ServedMessage): void => port.post(message);
  const objects = new Map<number, Methods>([[rootTarget, { load: openModel }]]);
  const stops = new Map<number, AbortController>();

  async function openModel(source: ModelSource, options: LoadOptions): Promise<Opened> {
    const model = await loadModel(source, { ...options, workerUrl: options.workerUrl ?? script });
    return new Opened(modelMethods(model), model.info);
  }

  /** The options as the caller gave them: with a signal and with functions that post their argument. */
  function restoreOptions({ call, options }: CallerMessage & { readonly kind: "call" }): readonly unknown[] {
    if (options === undefined) return [];
    const { values, callbacks, cancellable } = options;
    if (callbacks.length === 0 && !cancellable) return [values];
    const restored: Record<string, unknown> & { signal?: AbortSignal } = { ...(values as object) };
    for (const option of callbacks)
      restored[option] = (argument: unknown): void => post({ kind: "callback", call, option, argument });
    if (cancellable) {
      const controller = new AbortController();
      stops.set(call, controller);
      restored.signal = controller.signal;
    }
    return [restored];
  }

  async function run(message: CallerMessage & { readonly kind: "call" }): Promise<unknown> {
    const { call, target, method, args } = message;
    const object = objects.get(target);
    if (object === undefined) throw new BitNetError("DISPOSED", "The chat has been disposed");
    if (method === "close") {
      objects.delete(target);
      stops.delete(target);
    }
    const result = await object[method]?.(...([...args, ...restoreOptions(message)] as never[]));
    if (!(result instanceof Opened)) {
      stops.delete(call);
      return result;
    }
    objects.set(call, result.methods);
    return result.value;
  }

  port.onMessage((received) => {
    const message = received as CallerMessage;
    if (message.kind === "abort") {
      stops.get(message.call)?.abort(new BitNetError("ABORTED", "The operation was aborted"));
      return;
    }
    const { call } = message;
    run(message).then(
      (value) => post({ kind: "value", call, value }),
      (error: unknown) => {
        stops.delete(call);
        post({ kind: "error", call, error: encodeError(error) });
      },
    );
  });
}

function modelMethods(model: LanguageModel): Methods {
  return {
    generate: (prompt: string, options: GenerateOptions) => openPieces(model.generate(prompt, options)),
    complete: (prompt: string, options: GenerateOptions) => model.complete(prompt, options),
    embed: (texts: readonly string[], options: EmbedOptions) => model.embed(texts, options),
    chat: (options: ChatOptions) => new Opened(chatMethods(model.chat(options))),
    tokenize: (text: string, options: EncodeOptions) => model.tokenize(text, options),
    detokenize: (ids: readonly number[]) => model.detokenize(ids),
  };
}

function chatMethods(chat: Chat): Methods {
  return {
    messages: () => chat.messages,
    droppedMessages: () => chat.droppedMessages,
    send: (text: string, options: SendOptions) => openPieces(chat.send(text, options)),
    continueLast: (options: SendOptions) => openPieces(chat.continueLast(options)),
    restart: (messages: readonly ChatMessage[]) => chat.restart(messages),
    close: () => chat.dispose(),
  };
}

function openPieces(pieces: AsyncGenerator<GeneratedPiece, void, void>): Opened {
  return new Opened({
    next: () => pieces.next(),
    close: () => pieces.return(),
  });
}
