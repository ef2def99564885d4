import { BitNetError } from "../../errors.js";

/** @throws BitNetError INVALID_ARGUMENT naming the location in the schema and the problem. */
export function refuse(path: string, problem: string): never {
  throw new BitNetError("INVALID_ARGUMENT", `Cannot keep to the JSON schema: at ${path}, ${problem}`, {
    details: { option: "jsonSchema", path },
  });
}
