import type { MiddlewareHandler } from "hono";
import { timingSafeEqual } from "hono/utils/buffer";
import { Failure } from "./failures.js";

/** Refuses requests without the API key. */
export function keyCheck(apiKey: string): MiddlewareHandler {
  return async ({ req }, next) => {
    const given = /^Bearer +(\S+)\s*$/i.exec(req.header("Authorization") ?? "")?.[1] ?? "";
    // It compares SHA-256 digests, so its time does not show how much of the key is right.
    if (!(await timingSafeEqual(given, apiKey))) {
      throw new Failure(
        401,
        "invalid_api_key",
        "This server wants its API key as a bearer token, and did not get it",
      );
    }
    await next();
  };
}

/**
 * Refuses pages of other origins. Without it, a browser would send simple requests of any page and only hide
 * the answers: every open tab could keep the machine busy.
 */
export function originCheck(allowed: readonly string[]): MiddlewareHandler {
  return async ({ req }, next) => {
    const origin = req.header("Origin");
    const isOwn = origin === undefined || hostOf(origin) === (req.header("Host") ?? new URL(req.url).host);
    if (!isOwn && !allowed.includes("*") && !allowed.includes(origin)) {
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
