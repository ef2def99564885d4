import type { Failure, FailureStatus } from "../failures.js";

/** Anthropic's error types. */
const types: Readonly<Record<FailureStatus, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  499: "api_error",
  500: "api_error",
  501: "invalid_request_error",
  503: "overloaded_error",
  504: "timeout_error",
};

export function failureBody({ status, message }: Failure): object {
  return { type: "error", error: { type: types[status], message } };
}
