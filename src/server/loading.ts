import type { Server } from "./create-server.js";
import { Failure } from "./failures.js";
import { failureResponse } from "./protocols.js";

/**
 * Answers while the model is being loaded: probes see a live server, and clients learn that they can retry.
 */
export const loadingServer: Pick<Server, "fetch" | "dispose"> = {
  fetch(request): Response {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return Response.json({ status: "loading" }, { status: 503 });
    return failureResponse(
      new Failure(503, "loading", "The model is still being loaded: try again in a moment"),
      pathname,
    );
  },
  dispose: () => Promise.resolve(),
};
