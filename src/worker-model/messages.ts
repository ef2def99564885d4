import { BitNetError, type BitNetErrorCode, type ErrorDetails } from "../errors.js";

/** Options of a call, in a form that structured clone copies. */
export interface SentOptions {
  /** The options without functions and the signal. Not always an object: the model refuses other values. */
  readonly values: unknown;
  /** Names of options that are functions. */
  readonly callbacks: readonly string[];
  readonly cancellable: boolean;
}

/** A message from the caller's thread. `call` is the number of a call, the same in all its messages. */
export type CallerMessage =
  | {
      readonly kind: "call";
      readonly call: number;
      /** The object to call: the number of the call that opened it, or `rootTarget`. */
      readonly target: number;
      readonly method: string;
      readonly args: readonly unknown[];
      /** The last argument. Undefined for a method without options. */
      readonly options: SentOptions | undefined;
    }
  | { readonly kind: "abort"; readonly call: number };

/** A message from the worker. */
export type ServedMessage =
  | { readonly kind: "value"; readonly call: number; readonly value: unknown }
  | { readonly kind: "error"; readonly call: number; readonly error: SentError }
  | {
      readonly kind: "callback";
      readonly call: number;
      readonly option: string;
      readonly argument: unknown;
    };

/** The object that loads models. */
export const rootTarget = 0;

/** An error in a form that structured clone copies. */
export interface SentError {
  readonly message: string;
  /** Undefined for an error of another class. */
  readonly code: BitNetErrorCode | undefined;
  readonly details: ErrorDetails;
  readonly cause: unknown;
}

/** @param error what was thrown. */
export function encodeError(error: unknown): SentError {
  const { message } = error instanceof Error ? error : { message: String(error) };
  if (!(error instanceof BitNetError))
    return { message, code: undefined, details: {}, cause: cloneable(error) };
  const details = Object.entries(error.details).filter(([, value]) => cloneable(value) !== undefined);
  return {
    message,
    code: error.code,
    details: Object.fromEntries(details),
    cause: cloneable(error.cause),
  };
}

export function decodeError({ message, code, details, cause }: SentError): Error {
  if (code === undefined) return new Error(message, { cause });
  return new BitNetError(code, message, { details, cause });
}

/** The value, or undefined if structured clone refuses it. */
function cloneable(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return undefined;
  }
}
