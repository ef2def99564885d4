import { z } from "zod";
import type { Grammar } from "../../grammar/grammar.js";
import { optional, type RequestPart, requestPart } from "../requests/body.js";
import { anyObject, schemaGrammar } from "../requests/json-format.js";

/** `format`, as the grammar of the answer; undefined is plain text. */
export const formatPart: RequestPart<Grammar | undefined> = requestPart(
  {
    format: optional(
      z.union([z.enum(["", "json"]), z.record(z.string(), z.unknown())], {
        error: 'expected "json" or a JSON schema',
      }),
    ),
  },
  ({ format = "" }) =>
    format === "" ? undefined : schemaGrammar("format", format === "json" ? anyObject : format),
);
