import { z } from "zod";
import type { Grammar } from "../../grammar/grammar.js";
import { optional, type RequestPart, requestPart } from "../requests/body.js";
import { anyObject, schemaGrammar } from "../requests/json-format.js";

/** `response_format`, as the grammar of the answer; undefined is plain text. */
export const responseFormatPart: RequestPart<Grammar | undefined> = requestPart(
  {
    response_format: optional(
      z.discriminatedUnion(
        "type",
        [
          z.object({ type: z.literal("text") }),
          z.object({ type: z.literal("json_object") }),
          z.object({
            type: z.literal("json_schema"),
            json_schema: z.object({ schema: optional(z.record(z.string(), z.unknown())) }),
          }),
        ],
        {
          error:
            'expected { type: "text" }, { type: "json_object" } or { type: "json_schema", json_schema: { schema } }',
        },
      ),
    ),
  },
  ({ response_format: format }) => {
    if (format === undefined || format.type === "text") return undefined;
    const schema = format.type === "json_schema" ? format.json_schema.schema : undefined;
    return schemaGrammar("response_format", schema ?? anyObject);
  },
);
