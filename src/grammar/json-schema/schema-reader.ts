import type { Steps } from "../../text/slices.js";
import type { Expression } from "../expression.js";
import type { Resolve } from "./differences.js";
import type { StateBudget } from "./intersection.js";

/** Reads a schema inside of another, at its path. */
export type SubSchema = (schema: unknown, path: string) => Steps<Expression>;

/** Parts of the whole schema for the reader of one of its schemas. */
export interface SchemaReader {
  readonly within: SubSchema;
  readonly budget: StateBudget;
  readonly resolve: Resolve;
}
