import type { Protocol } from "../protocol.js";
import { failureBody } from "./failure-body.js";
import { addMessages } from "./messages.js";

/** Anthropic's protocol. */
export const anthropic: Protocol = {
  prefixes: ["/v1/messages", "/messages"],
  routes: [addMessages],
  failureBody,
};
