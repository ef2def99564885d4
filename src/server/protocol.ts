import type { Hono } from "hono";
import type { Failure } from "./failures.js";
import type { Models } from "./models/models.js";

/** Adds a route, or a few that belong together. */
export type AddRoute = (app: Hono, models: Models) => void;

/** A wire protocol, such as OpenAI's: one folder, and one line in protocols.ts. */
export interface Protocol {
  /** Prefixes of its paths. Of all protocols, the one with the longest matching prefix answers failures. */
  readonly prefixes: readonly string[];
  readonly routes: readonly AddRoute[];
  /** The body of a failed request. */
  readonly failureBody: (failure: Failure) => object;
}
