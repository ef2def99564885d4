import { BitNetError } from "../../errors.js";

/** @throws BitNetError INVALID_ARGUMENT naming the location in the schema and the problem. */
export function refuse(path: string, problem: string): never {
  throw new BitNetError("INVALID_ARGUMENT", `Cannot keep to the JSON schema: at ${path}, ${problem}`, {
    details: { option: "jsonSchema", path },
  });
}

/** The schema is valid, and a grammar cannot keep to one of its keywords. */
export class CannotKeepError extends BitNetError {
  readonly path: string;
  readonly keyword: string;
  readonly problem: string;

  constructor(path: string, keyword: string, problem: string) {
    super("INVALID_ARGUMENT", `Cannot keep to the JSON schema: at ${path}, ${problem}`, {
      details: { option: "jsonSchema", path, keyword },
    });
    this.path = path;
    this.keyword = keyword;
    this.problem = problem;
  }
}

/** As `refuse`, about a keyword that a caller may leave out. @throws CannotKeepError. */
export function cannotKeep(path: string, keyword: string, problem: string): never {
  throw new CannotKeepError(path, keyword, problem);
}
