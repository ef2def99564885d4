/** The state of a server. A draining server still answers, but wants no further requests. */
export type ServerState = "ok" | "loading" | "draining" | "failed";

const notReady: readonly ServerState[] = ["loading", "draining", "failed"];

/** The routes of probes, each with the states in which it answers 503. */
export const healthRoutes: ReadonlyMap<string, readonly ServerState[]> = new Map([
  ["/health", notReady],
  ["/health/ready", notReady],
  // Another start helps only against a failure for good.
  ["/health/live", ["failed"]],
]);

/** @param failing the states in which the route answers 503. */
export function healthResponse(failing: readonly ServerState[], state: ServerState): Response {
  return Response.json({ status: state }, { status: failing.includes(state) ? 503 : 200 });
}
