/**
 * Every failure that a caller can meet, as a closed set of codes.
 *
 * | code | meaning |
 * |---|---|
 * | `FILE_NOT_FOUND` | no file has this path, URL or name on the hub, or it cannot be read |
 * | `FILE_CORRUPT` | the bytes do not fit the format; `details.offset` is the byte |
 * | `FILE_READ` | the host failed to read bytes that should be there, or the file has changed since it was opened |
 * | `FILE_WRITE` | the host failed to write: no space, no permission |
 * | `DOWNLOAD_FAILED` | the network or a server failed, or sent wrong bytes; `details.status` is an HTTP status |
 * | `ACCESS_DENIED` | a model that is gated, private or disabled |
 * | `UNSUPPORTED_FILE` | a format or format version that this library does not read |
 * | `UNSUPPORTED_ARCHITECTURE` | a model family that has no graph here |
 * | `UNSUPPORTED_TENSOR_TYPE` | a tensor in a number format that has no kernel here |
 * | `UNSUPPORTED_TOKENIZER` | a tokenizer that cannot be built from the file's metadata |
 * | `UNSUPPORTED_RUNTIME` | the host lacks WebAssembly SIMD, shared memory or worker threads |
 * | `MODEL_INVALID` | a readable file that is no usable model: missing tensor, wrong shape, contradictory metadata, results that are not finite |
 * | `CONTEXT_FULL` | the prompt, or the prompt and the answer, do not fit the context length |
 * | `OUT_OF_MEMORY` | weights, caches or buffers do not fit memory |
 * | `QUEUE_FULL` | the scheduler's queue is full; try again later |
 * | `INVALID_ARGUMENT` | an option or argument outside its range |
 * | `ABORTED` | stopped by a signal that gave no reason of its own |
 * | `DISPOSED` | use after disposal |
 * | `WORKER_FAILED` | a worker thread died; the model must be loaded again |
 * | `BATCH_FAILED` | requests of a batch were answered with errors, or its queue cannot be used |
 * | `SELF_TEST_FAILED` | no kernel build computes known sums correctly on this host |
 */
export type BitNetErrorCode =
  | "FILE_NOT_FOUND"
  | "FILE_CORRUPT"
  | "FILE_READ"
  | "FILE_WRITE"
  | "DOWNLOAD_FAILED"
  | "ACCESS_DENIED"
  | "UNSUPPORTED_FILE"
  | "UNSUPPORTED_ARCHITECTURE"
  | "UNSUPPORTED_TENSOR_TYPE"
  | "UNSUPPORTED_TOKENIZER"
  | "UNSUPPORTED_RUNTIME"
  | "MODEL_INVALID"
  | "CONTEXT_FULL"
  | "OUT_OF_MEMORY"
  | "QUEUE_FULL"
  | "INVALID_ARGUMENT"
  | "ABORTED"
  | "DISPOSED"
  | "WORKER_FAILED"
  | "BATCH_FAILED"
  | "SELF_TEST_FAILED";

/** Machine-readable facts about a failure, such as `offset`, `tensor` or `expected`. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** The one class of error that this library throws on purpose. */
export class BitNetError extends Error {
  /** Always "BitNetError", as `error.name` of other classes. */
  override readonly name = "BitNetError";
  /** The kind of failure, from a closed set. */
  readonly code: BitNetErrorCode;
  /** Facts for programs; the message says the same for people. */
  readonly details: ErrorDetails;

  constructor(
    code: BitNetErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly details?: ErrorDetails } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** @throws `signal.reason` if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}

/** The error of a call whose signal fired: the reason given to `abort()`. */
export function abortReason(signal: AbortSignal): unknown {
  return signal.reason ?? new BitNetError("ABORTED", "The operation was aborted");
}
