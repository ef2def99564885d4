import { z } from "zod";
import { optional, type RequestPart, requestPart } from "../requests/body.js";
import { keepAliveForms, parseKeepAlive } from "./keep-alive-time.js";

/** How long the model stays loaded after this request, in milliseconds. Undefined is the server's default. */
export const keepAlivePart: RequestPart<number | undefined> = requestPart(
  {
    keep_alive: optional(
      z
        .union([z.number(), z.string()], { error: `expected ${keepAliveForms}` })
        .refine((value) => parseKeepAlive(value) !== undefined, { error: `expected ${keepAliveForms}` }),
    ),
  },
  ({ keep_alive: value }) => (value === undefined ? undefined : parseKeepAlive(value)),
);
