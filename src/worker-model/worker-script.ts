// The script of a worker. Its first message says which kind it is: a thread of a model's team, or a worker
// that has the model. One self-contained file for both is one file for users to copy.
import { workerPort } from "#platform";
import { serveTeam } from "../graph/worker.js";
import type { CallerMessage } from "./messages.js";
import { serveModel } from "./serve-model.js";

/** The address of this script. In bundles for pages, webpack makes `import.meta.url` a file's address. */
function ownAddress(): string | undefined {
  const { location } = globalThis as { readonly location?: { readonly href: string } };
  if (location !== undefined && /^(https?|blob):/.test(location.href)) return location.href;
  return (import.meta as { readonly url?: string }).url;
}

const port = workerPort();
if (port !== undefined) {
  let receive: ((message: unknown) => void) | undefined;
  const own = {
    post: (message: unknown): void => port.post(message),
    onMessage: (handler: (message: unknown) => void): void => void (receive = handler),
  };
  port.onMessage((message) => {
    if (receive === undefined) {
      const { kind } = message as Partial<CallerMessage>;
      if (kind === "call") serveModel(own, ownAddress());
      else serveTeam(own);
    }
    receive?.(message);
  });
}
