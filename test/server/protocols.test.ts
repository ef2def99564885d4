import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { Failure } from "#dist/server/failures.js";
import { failureResponse, protocols } from "#dist/server/protocols.js";
import type { Models } from "#dist/server/models/models.js";

/** The part of the models that routes need before a request. */
const models = { startedAt: new Date(0) } as Models;

describe.each(protocols)("the protocol below $prefixes", ({ prefixes, routes, failureBody }) => {
  it("has all of its routes below its prefixes", () => {
    const app = new Hono();
    for (const addRoute of routes) addRoute(app, models);
    expect(app.routes).not.toHaveLength(0);
    for (const { path } of app.routes) {
      expect([path, prefixes.some((prefix) => path.startsWith(prefix))]).toEqual([path, true]);
    }
  });

  it("answers failures below its prefixes in its own form", async () => {
    const failure = new Failure(429, "queue_full", "Try again later", "n");
    expect(JSON.stringify(failureBody(failure))).toContain("Try again later");
    for (const prefix of prefixes) {
      const response = failureResponse(failure, `${prefix}anything`);
      expect(await response.json()).toEqual(failureBody(failure));
      expect([response.status, response.headers.get("retry-after")]).toEqual([429, "1"]);
    }
  });
});

it("each prefix belongs to one protocol", () => {
  const prefixes = protocols.flatMap((protocol) => protocol.prefixes);
  expect(new Set(prefixes).size).toBe(prefixes.length);
});

it("a failure outside all prefixes has OpenAI's form", async () => {
  const response = failureResponse(new Failure(404, "not_found", "There is no GET /x"), "/x");
  expect(await response.json()).toEqual({
    error: { message: "There is no GET /x", type: "invalid_request_error", param: null, code: "not_found" },
  });
});
