import { z } from "zod";
import { type RequestPart, requestPart } from "../requests/body.js";

/** The name of the model that a request asks for. A server with one model takes every value. */
export const modelPart: RequestPart<unknown> = requestPart(
  { model: z.unknown().optional() },
  ({ model }) => model,
);
