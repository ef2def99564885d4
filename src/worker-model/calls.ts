import { abortReason, BitNetError, throwIfAborted } from "../errors.js";
import { type CallerMessage, decodeError, type SentOptions, type ServedMessage } from "./messages.js";

/** A call that has been sent. */
export interface SentCall {
  /** Number of the call, and of the object that it opens. */
  readonly id: number;
  readonly result: Promise<unknown>;
  /** Ends the listening to the signal and the callbacks. */
  release(): void;
}

/** The calls of one worker. */
export interface Calls {
  /**
   * Sends a call. Its signal and its callbacks work until `release`.
   *
   * @throws BitNetError INVALID_ARGUMENT for an argument that structured clone refuses; `signal.reason`.
   */
  send(target: number, method: string, args: readonly unknown[], options?: unknown): SentCall;
  /** Sends a call that opens no object, and awaits its result. */
  run(target: number, method: string, args: readonly unknown[], options?: unknown): Promise<unknown>;
  /** Rejects all calls, those under way and those to come. */
  fail(error: BitNetError): void;
  receive(message: ServedMessage): void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}
type Callbacks = Readonly<Record<string, (argument: unknown) => void>>;

/**
 * @param post posts a message to the worker.
 * @param onBusy called with whether a call is under way, when that changes.
 */
export function createCalls(
  post: (message: CallerMessage) => void,
  onBusy: (state: "busy" | "idle") => void,
): Calls {
  const waiting = new Map<number, Waiting>();
  const callbacks = new Map<number, Callbacks>();
  let failure: BitNetError | undefined;
  let last = 0;

  function settle(call: number): Waiting | undefined {
    const found = waiting.get(call);
    if (waiting.delete(call) && waiting.size === 0) onBusy("idle");
    return found;
  }

  const calls: Calls = {
    send(target, method, args, options): SentCall {
      if (failure !== undefined) throw failure;
      const { signal, functions, sent } = splitOptions(options);
      throwIfAborted(signal);
      const id = (last += 1);
      try {
        post({ kind: "call", call: id, target, method, args, options: sent });
      } catch (cause) {
        throw new BitNetError(
          "INVALID_ARGUMENT",
          `Cannot send the arguments of ${method} to the model's worker: ${String(cause)}; give plain data`,
          { cause },
        );
      }
      callbacks.set(id, functions);
      const abort = (): void => post({ kind: "abort", call: id });
      signal?.addEventListener("abort", abort);
      const result = new Promise<unknown>((resolve, reject) => {
        if (waiting.size === 0) onBusy("busy");
        waiting.set(id, { resolve, reject });
      });
      return {
        id,
        result,
        release() {
          callbacks.delete(id);
          signal?.removeEventListener("abort", abort);
        },
      };
    },
    async run(target, method, args, options): Promise<unknown> {
      const call = calls.send(target, method, args, options);
      try {
        return await call.result;
      } catch (error) {
        throw ownReason(error, options);
      } finally {
        call.release();
      }
    },
    fail(error): void {
      failure ??= error;
      for (const call of [...waiting.keys()]) settle(call)?.reject(failure);
    },
    receive(message): void {
      if (message.kind === "callback") callbacks.get(message.call)?.[message.option]?.(message.argument);
      else if (message.kind === "value") settle(message.call)?.resolve(message.value);
      else settle(message.call)?.reject(decodeError(message.error));
    },
  };
  return calls;
}

/** The error to throw: the reason of the caller's signal does not travel, so it is put back here. */
export function ownReason(error: unknown, options: unknown): unknown {
  const { signal } = splitOptions(options);
  const stopped = signal?.aborted === true && error instanceof BitNetError && error.code === "ABORTED";
  return stopped ? abortReason(signal) : error;
}

/** Separates what structured clone refuses: functions and the signal. */
function splitOptions(options: unknown): {
  readonly signal: AbortSignal | undefined;
  readonly functions: Callbacks;
  readonly sent: SentOptions | undefined;
} {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const sent = options === undefined ? undefined : { values: options, callbacks: [], cancellable: false };
    return { signal: undefined, functions: {}, sent };
  }
  let signal: AbortSignal | undefined;
  const values: Record<string, unknown> = {};
  const functions: Record<string, (argument: unknown) => void> = {};
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    if (name === "signal" && value instanceof AbortSignal) signal = value;
    else if (typeof value === "function") functions[name] = value as (argument: unknown) => void;
    else values[name] = value;
  }
  const sent = { values, callbacks: Object.keys(functions), cancellable: signal !== undefined };
  return { signal, functions, sent };
}
