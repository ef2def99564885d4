import { createServer, type LanguageModel, type Server, type ServerOptions } from "#dist/index.js";
import { listen } from "#dist/server/listen.js";

/** A server on a free port of this machine. */
export interface OpenServer {
  readonly url: string;
  readonly server: Server;
  readonly close: () => Promise<void>;
  /** Posts a string as it is, and anything else as JSON. */
  readonly post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Response>;
}

export async function openServer(model: LanguageModel, options?: ServerOptions): Promise<OpenServer> {
  const server = createServer(model, options);
  const { url, close } = await listen(server, { host: "127.0.0.1", port: 0 });
  return {
    url,
    server,
    close: () => close(0),
    post: (path, body, headers = {}) =>
      fetch(url + path, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers: { "Content-Type": "application/json", ...headers },
      }),
  };
}

/** Waits until a condition holds. The timeout of the test limits the wait. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
