import type { Server } from "./create-server.js";
import { failureResponse } from "./failures.js";

/** What answers while the model is being loaded: probes learn that there is someone, and clients that they are early. */
export const loadingServer: Pick<Server, "fetch" | "dispose"> = {
  fetch(request): Response {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return Response.json({ status: "loading" }, { status: 503 });
    return failureResponse(
      {
        status: 503,
        message: "The model is still being loaded: try again in a moment",
        type: "server_error",
        param: null,
        code: "loading",
      },
      pathname,
    );
  },
  dispose: () => Promise.resolve(),
};
