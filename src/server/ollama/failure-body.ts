import type { Failure } from "../failures.js";

export function failureBody({ message }: Failure): object {
  return { error: message };
}
