import { BitNetError } from "../errors.js";
import { Failure } from "./failures.js";

/** Names under which requests may address a server, besides addresses and localhost. "*" is all names. */
export type AllowedHosts = ReadonlySet<string>;

/**
 * Reads names that an operator allows.
 *
 * @throws BitNetError INVALID_ARGUMENT for a text that is more than a name.
 */
export function readAllowedHosts(given: string | readonly string[] = []): AllowedHosts {
  return new Set([given].flat().map(readAllowedHost));
}

function readAllowedHost(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "*") return trimmed;
  const name = /:\d*$/.test(trimmed) ? undefined : hostName(trimmed);
  if (name !== undefined) return name;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Invalid allowHosts: ${JSON.stringify(text)} (expected a name without scheme, port and path, such as box.example)`,
    { details: { option: "allowHosts", value: text } },
  );
}

/**
 * Why a request is refused for the host that it addresses; undefined if it is not.
 *
 * A page can rebind its own name to this machine's address (DNS rebinding). Then the browser takes server and
 * page for one origin, but the request still carries the page's name. An address cannot be rebound.
 */
export function hostFailure(request: Request, allowed: AllowedHosts): Failure | undefined {
  const malformed = invalidHost("it is no name or address with an optional port");
  if (!URL.canParse(request.url)) return malformed;
  const header = request.headers.get("Host");
  // A request target can be a whole URL, which may name another host than the header.
  const hosts = [new URL(request.url).host, ...(header === null ? [] : [header])];
  for (const host of hosts) {
    const name = hostName(host);
    if (name === undefined) return malformed;
    if (isLocal(name) || allowed.has(name) || allowed.has("*")) continue;
    return new Failure(
      403,
      "host_not_allowed",
      `Requests to the host ${name} are refused: start the server with --allow-host ${name} to allow them, or with an API key`,
    );
  }
  return undefined;
}

export function invalidHost(why: string): Failure {
  return new Failure(400, "invalid_host", `Invalid Host header: ${why}`);
}

/** A host without its port, as URLs spell it; undefined if it is malformed. */
function hostName(host: string): string | undefined {
  if (!/^(?:\[[\da-f:.]+\]|(?:[\w-]+\.)*[\w-]+\.?)(?::\d{1,5})?$/i.test(host)) return undefined;
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname.replace(/\.$/, "") : undefined;
}

/** Whether a name is an address, or one that browsers never look up in DNS. */
function isLocal(name: string): boolean {
  return /^\d+(?:\.\d+){3}$/.test(name) || name.startsWith("[") || /(?:^|\.)localhost$/.test(name);
}

/** Whether only this machine can reach an address to listen on. */
export function isLoopback(address: string): boolean {
  return /^(?:127\..*|::1|(?:.*\.)?localhost)$/i.test(address);
}
