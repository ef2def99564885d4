import { type Access, nosniff } from "./access.js";
import type { Server } from "./create-server.js";
import { Failure } from "./failures.js";
import { healthResponse, healthRoutes } from "./health.js";
import { hostFailure } from "./hosts.js";
import { failureResponse } from "./protocols.js";

/**
 * Answers while the model is being loaded: probes see a live server, and clients learn that they can retry.
 */
export function createLoadingServer({
  hosts,
}: Pick<Access, "hosts">): Pick<Server, "fetch" | "drain" | "dispose"> {
  const loading = new Failure(503, "loading", "The model is still being loaded: try again in a moment");
  function answer(request: Request): Response {
    const { pathname } = new URL(request.url);
    const refusal = hosts === undefined ? undefined : hostFailure(request, hosts);
    const failing = healthRoutes.get(pathname);
    if (refusal === undefined && failing !== undefined) return healthResponse(failing, "loading");
    return failureResponse(refusal ?? loading, pathname);
  }
  return {
    fetch(request): Response {
      const response = answer(request);
      response.headers.set(...nosniff);
      return response;
    },
    // It is not ready in any case.
    drain: () => undefined,
    dispose: () => Promise.resolve(),
  };
}
