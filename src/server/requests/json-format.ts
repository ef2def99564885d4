import { BitNetError } from "../../errors.js";
import type { Grammar } from "../../grammar/grammar.js";
import { jsonGrammar } from "../../grammar/json-grammar.js";
import { badRequest } from "../failures.js";

/** The schema of a request for JSON that gives no schema of its own. */
export const anyObject = { type: "object" } as const;

/**
 * The grammar of the JSON that a schema accepts.
 *
 * @param param the field that holds the schema. A Failure with status 400 names it if the schema cannot be
 * kept.
 */
export function schemaGrammar(param: string, schema: object): Grammar {
  try {
    return jsonGrammar(schema);
  } catch (error) {
    if (error instanceof BitNetError && error.code === "INVALID_ARGUMENT")
      throw badRequest(param, error.message);
    throw error;
  }
}
