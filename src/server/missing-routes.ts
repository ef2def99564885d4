import type { Hono } from "hono";
import { Failure } from "./failures.js";

const noChanges =
  "this server has the models that it was started with or has downloaded, and does not change them";
const noReranker = "this server has no reranking model; compare embeddings";
const textOnly = "this server reads and writes text only";

/** Routes of both protocols that this server does not have, with the reason. */
const missingRoutes: Readonly<Record<string, string>> = {
  "/api/create": noChanges,
  "/api/copy": noChanges,
  "/api/delete": noChanges,
  "/api/push": noChanges,
  "/api/blobs/*": noChanges,
  "/v1/audio/*": textOnly,
  "/v1/images/*": textOnly,
  "/rerank": noReranker,
  "/v1/rerank": noReranker,
  "/v1/moderations": "this server has no moderation model",
};

/** Answers with 501 and the reason, so that a client's user knows that no path is wrong. */
export function addMissingRoutes(app: Hono): void {
  for (const [path, why] of Object.entries(missingRoutes)) {
    app.all(path, ({ req }) => {
      throw new Failure(501, "not_implemented", `There is no ${req.method} ${req.path}: ${why}`);
    });
  }
}
