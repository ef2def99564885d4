import { type BatchRequest, type Fields, type InvalidLine, isObject } from "./request.js";

/** An error that is not an HTTP answer. */
export interface BatchError {
  readonly code: string;
  readonly message: string;
}

/** The answer to a request: the server's, or an error. */
export type BatchAnswer =
  | { readonly response: BatchResponse; readonly error: null }
  | { readonly response: null; readonly error: BatchError };

/** An answer of the server. */
export interface BatchResponse {
  readonly status_code: number;
  readonly request_id: string;
  readonly body: Fields;
}

/** A line of the output. */
export interface BatchResult {
  readonly id: string;
  readonly customId: string | null;
  /** Whether it is an answer of the server, not an error. */
  readonly isResponse: boolean;
  readonly isSuccess: boolean;
}

/** Every line begins with it. */
export const resultPrefix = '{"id":"batch_req_';

/** The line of an answer. Errors name the input's line. */
export function answerLine(request: BatchRequest, answer: BatchAnswer): string {
  const { error } = answer;
  return writeLine(request, error === null ? answer : failure(request.line, error.code, error.message));
}

/** The line of an invalid line. */
export function invalidLine(invalid: InvalidLine): string {
  return writeLine(invalid, failure(invalid.line, invalid.code, invalid.problem));
}

export function isSuccess({ response }: BatchAnswer): boolean {
  return response?.status_code === 200;
}

/** @returns undefined for a line that `bitnet batch` has not written. */
export function readResult(text: string | undefined): BatchResult | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(text ?? "") as unknown;
  } catch {
    return undefined;
  }
  if (!isObject(fields)) return undefined;
  const { id, custom_id: customId, response, error } = fields;
  const isComplete = isObject(response) ? error === null : isObject(error) && response === null;
  if (
    !isComplete ||
    typeof id !== "string" ||
    !text?.startsWith(resultPrefix) ||
    !(typeof customId === "string" || customId === null)
  ) {
    return undefined;
  }
  const isResponse = isObject(response);
  return { id, customId, isResponse, isSuccess: isResponse && response.status_code === 200 };
}

/** OpenAI's form, with the line beside code and message. */
function failure(line: number, code: string, message: string): object {
  return { response: null, error: { code, message: `Line ${line}: ${message}`, line } };
}

function writeLine(
  { id, customId }: { readonly id: string; readonly customId: string | null },
  rest: object,
): string {
  return `${JSON.stringify({ id, custom_id: customId, ...rest })}\n`;
}
