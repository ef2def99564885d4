import type { MiddlewareHandler } from "hono";
import { timingSafeEqual } from "hono/utils/buffer";
import { failureResponse } from "./failures.js";

/** Lets requests pass that bring the key. */
export function keyCheck(apiKey: string): MiddlewareHandler {
  return async ({ req }, next) => {
    const given = /^Bearer +(\S+)\s*$/i.exec(req.header("Authorization") ?? "")?.[1] ?? "";
    // It compares digests: how long it takes says nothing of how much is right.
    if (await timingSafeEqual(given, apiKey)) {
      await next();
      return undefined;
    }
    return failureResponse(
      {
        status: 401,
        message: "This server wants its API key as a bearer token, and did not get it",
        type: "authentication_error",
        param: null,
        code: "invalid_api_key",
      },
      req.path,
    );
  };
}

/**
 * Refuses pages of other origins. A browser sends simple requests for any page, and without this only hides the answers:
 * whatever is open in a tab could keep the machine busy.
 */
export function originCheck(allowed: readonly string[]): MiddlewareHandler {
  return async ({ req }, next) => {
    const origin = req.header("Origin");
    const own = origin === undefined || hostOf(origin) === (req.header("Host") ?? new URL(req.url).host);
    if (own || allowed.includes("*") || allowed.includes(origin)) {
      await next();
      return undefined;
    }
    return failureResponse(
      {
        status: 403,
        message: `Pages of ${origin} may not use this server: start it with --cors ${origin} to allow it`,
        type: "permission_error",
        param: null,
        code: "origin_not_allowed",
      },
      req.path,
    );
  };
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
