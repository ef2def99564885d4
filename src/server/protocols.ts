import { anthropic } from "./anthropic/routes.js";
import type { Failure } from "./failures.js";
import { ollama } from "./ollama/routes.js";
import { openAi } from "./openai/routes.js";
import type { Protocol } from "./protocol.js";

/** All protocols of the server. */
export const protocols: readonly Protocol[] = [openAi, anthropic, ollama];

const byPrefix = protocols
  .flatMap(({ prefixes, failureBody }) => prefixes.map((prefix) => ({ prefix, failureBody })))
  .sort((a, b) => b.prefix.length - a.prefix.length);

/** Answers a failed request in the form of the protocol that its path belongs to. Default: OpenAI's. */
export function failureResponse(failure: Failure, path: string): Response {
  const { failureBody } = byPrefix.find(({ prefix }) => path.startsWith(prefix)) ?? openAi;
  return Response.json(failureBody(failure), { status: failure.status, headers: headersOf(failure) });
}

function headersOf({ status, code }: Failure): Record<string, string> {
  // A slot can become free, and loading can end, at any moment.
  if (status === 429 || code === "loading") return { "Retry-After": "1" };
  if (status === 401) return { "WWW-Authenticate": "Bearer" };
  // The rest of the unread body may still arrive, so the connection cannot carry another request.
  if (status === 413) return { Connection: "close" };
  return {};
}
