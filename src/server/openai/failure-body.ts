import type { Failure, FailureStatus } from "../failures.js";

/** OpenAI's error types. */
const types: Readonly<Record<FailureStatus, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "invalid_request_error",
  413: "invalid_request_error",
  429: "rate_limit_error",
  499: "server_error",
  500: "server_error",
  501: "invalid_request_error",
  503: "server_error",
  504: "server_error",
};

export function failureBody({ status, code, message, param }: Failure): object {
  return { error: { message, type: types[status], param, code } };
}
