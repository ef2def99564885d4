import type { IncomingMessage, Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { BitNetError } from "../errors.js";
import type { Server } from "./create-server.js";
import { invalidHost } from "./hosts.js";
import { failureResponse } from "./protocols.js";

/**
 * How long an idle connection stays open for a next request. Proxies and clients close theirs after at most a
 * minute. The server must be later: it loses a request that is sent while it closes the connection.
 */
const keepAliveMs = 75_000;

/** A server at an address. */
export interface Listening {
  readonly url: string;
  /** Takes no new requests, gives running ones `limitMs` milliseconds, then ends them and the server. */
  close(limitMs: number): Promise<void>;
}

/** Where and how to listen. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /**
   * Closes connections without traffic after this many milliseconds, such as those of clients that stopped
   * reading. 0 is never. Default: 0.
   */
  readonly idleMs?: number;
}

/** @throws BitNetError INVALID_ARGUMENT if the address is taken, or not an address of this machine. */
export async function listen(
  server: Pick<Server, "fetch" | "dispose">,
  { host, port, idleMs = 0 }: Address,
): Promise<Listening> {
  // Loaded only here: programs that mount `fetch` elsewhere do not need it.
  const { createAdaptorServer } = await import("@hono/node-server");
  // The first request loads the routes. A client that closes its side at once would lose a late answer.
  await server.fetch(new Request("http://localhost/health"));
  const http = createAdaptorServer({
    fetch: (request, { incoming }) => refuseSeveralHosts(incoming) ?? server.fetch(request),
  }) as HttpServer;
  http.keepAliveTimeout = keepAliveMs;
  http.setTimeout(idleMs);
  await new Promise<void>((resolve, reject) => {
    http.once("error", (cause) =>
      reject(
        new BitNetError("INVALID_ARGUMENT", `Cannot listen at ${host}, port ${port}: ${whyNot(cause)}`, {
          cause,
          details: { host, port },
        }),
      ),
    );
    http.listen(port, host, resolve);
  });
  const address = http.address() as AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;

  async function close(limitMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => http.close(() => resolve()));
    // Idle connections would keep the server open. Connections in use become idle when their request ends.
    const closing = setInterval(() => http.closeIdleConnections(), 50);
    http.closeIdleConnections();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([closed, late]);
    clearTimeout(timer);
    await server.dispose();
    clearInterval(closing);
    http.closeAllConnections();
    await closed;
  }
  return { url: `http://${name}:${address.port}`, close };
}

/** Node.js drops all `Host` headers but the first. A proxy may have decided by another one. */
function refuseSeveralHosts({
  rawHeaders,
  url = "",
}: Pick<IncomingMessage, "rawHeaders" | "url">): Response | undefined {
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host");
  return hosts.length > 1 ? failureResponse(invalidHost("there are several"), url) : undefined;
}

function whyNot(cause: Error & { readonly code?: string }): string {
  if (cause.code === "EADDRINUSE")
    return "another program listens there; choose another port, or 0 for a free one";
  if (cause.code === "EACCES") return "this user may not; choose a port from 1024";
  return cause.message;
}
