import { z } from "zod";
import { optional, type RequestPart, requestPart } from "../requests/body.js";
import { anyFields } from "../requests/fields.js";
import { anyObject, type AskedSchema } from "../requests/json-format.js";

/** The schema of `format`; undefined is plain text. */
export const formatPart: RequestPart<AskedSchema | undefined> = requestPart(
  {
    format: optional(
      z.union([z.enum(["", "json"]), anyFields], {
        error: 'expected "json" or a JSON schema',
      }),
    ),
  },
  ({ format = "" }) =>
    format === "" ? undefined : { param: "format", schema: typeof format === "string" ? anyObject : format },
);
