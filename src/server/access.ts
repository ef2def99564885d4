import type { MiddlewareHandler } from "hono";
import { timingSafeEqual } from "hono/utils/buffer";
import { BitNetError } from "../errors.js";
import { Failure } from "./failures.js";
import { type AllowedHosts, hostFailure, readAllowedHosts } from "./hosts.js";
import { type AllowedOrigins, readAllowedOrigins } from "./origins.js";

/** The options of `createServer` about access. */
export interface AccessOptions {
  readonly apiKey?: string | undefined;
  readonly cors?: string | readonly string[] | undefined;
  readonly allowHosts?: string | readonly string[] | undefined;
}

/** The rules of access to a server. */
export interface Access {
  readonly apiKey: string | undefined;
  readonly origins: AllowedOrigins;
  /** Undefined if every host is allowed: a key protects the server. */
  readonly hosts: AllowedHosts | undefined;
}

/** @throws BitNetError INVALID_ARGUMENT for a key, an origin or a name that no request can match. */
export function readAccess({ apiKey, cors, allowHosts }: AccessOptions): Access {
  const hosts = readAllowedHosts(allowHosts);
  return {
    apiKey: apiKey === undefined ? undefined : readKey(apiKey),
    origins: readAllowedOrigins(cors),
    // A rebound page does not know the key, and browsers do not send it by themselves.
    hosts: apiKey === undefined ? hosts : undefined,
  };
}

/** Files and variables often end in a line end, which belongs to no key. */
function readKey(apiKey: string): string {
  const key = apiKey.trim();
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  const why = key === "" ? "it is empty" : "it has characters that the header Authorization cannot carry";
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Invalid apiKey: ${why} (expected ASCII characters without spaces, or no key at all)`,
    { details: { option: "apiKey" } },
  );
}

/** Browsers must not guess types: an answer could otherwise run as a script or a page. */
export const nosniff = ["X-Content-Type-Options", "nosniff"] as const;

/** Adds a header to every answer. */
export function addHeader([name, value]: readonly [string, string]): MiddlewareHandler {
  return async (context, next) => {
    await next();
    context.header(name, value);
  };
}

/** Refuses requests that address the server by a name that is not allowed. */
export function hostCheck(hosts: AllowedHosts): MiddlewareHandler {
  return async ({ req }, next) => {
    const failure = hostFailure(req.raw, hosts);
    if (failure !== undefined) throw failure;
    await next();
  };
}

/** Refuses requests without the API key. */
export function keyCheck(apiKey: string): MiddlewareHandler {
  return async ({ req }, next) => {
    const bearer = /^Bearer +(\S+)\s*$/i.exec(req.header("Authorization") ?? "")?.[1] ?? "";
    // Anthropic's clients send a key in this header.
    const own = req.header("x-api-key")?.trim() ?? "";
    // It compares SHA-256 digests, so its time does not show how much of the key is right.
    const matches = await Promise.all([bearer, own].map((given) => timingSafeEqual(given, apiKey)));
    if (!matches.includes(true)) {
      throw new Failure(
        401,
        "invalid_api_key",
        "This server wants its API key as a bearer token or in x-api-key, and did not get it",
      );
    }
    await next();
  };
}

/**
 * Refuses pages of other origins. Without it, a browser would send simple requests of any page and only hide
 * the answers: every open tab could keep the machine busy.
 */
export function originCheck(allowed: AllowedOrigins): MiddlewareHandler {
  return async ({ req }, next) => {
    const origin = req.header("Origin");
    const isOwn = origin === undefined || hostOf(origin) === (req.header("Host") ?? new URL(req.url).host);
    if (!isOwn && !allowed.allows(origin)) {
      throw new Failure(
        403,
        "origin_not_allowed",
        `Pages of ${origin} may not use this server: start it with --cors ${origin} to allow it`,
      );
    }
    await next();
  };
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
