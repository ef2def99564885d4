import { BitNetError } from "../../errors.js";
import { badRequest } from "../failures.js";

/** Limits of one request. They bound the time in which the server cannot answer other clients. */
export interface RequestLimits {
  /** Texts of a request for embeddings. Default: 2048. */
  readonly texts: number;
  /** Messages of a conversation. Default: 1024. */
  readonly messages: number;
  /** Strings, objects and lists of a body. Names of fields are strings. Default: 65536. */
  readonly values: number;
  /** Entries of all lists and objects of a body, such as token ids. Default: 262144. */
  readonly entries: number;
  /** Characters of a JSON schema. Default: 65536. */
  readonly schemaCharacters: number;
  /** Characters of all patterns in a JSON schema. Default: 4096. */
  readonly patternCharacters: number;
}

export const defaultLimits: RequestLimits = {
  texts: 2048,
  messages: 1024,
  values: 1 << 16,
  entries: 1 << 18,
  schemaCharacters: 1 << 16,
  patternCharacters: 4096,
};

/** @throws BitNetError INVALID_ARGUMENT for an unknown limit or a value that is no whole number from 1. */
export function resolveLimits(limits: Partial<RequestLimits> = {}): RequestLimits {
  for (const [name, value] of Object.entries(limits)) {
    const isKnown = Object.hasOwn(defaultLimits, name);
    if (isKnown && (value === undefined || (Number.isSafeInteger(value) && value >= 1))) continue;
    const expected = isKnown ? "a whole number from 1" : `one of ${Object.keys(defaultLimits).join(", ")}`;
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Invalid limits.${name}: ${isKnown ? value : "there is no such limit"} (expected ${expected})`,
      { details: { option: `limits.${name}`, value } },
    );
  }
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
  return { ...defaultLimits, ...given };
}

/** @throws Failure 400 if `count` exceeds a limit. */
export function checkLimit(
  limits: RequestLimits,
  name: keyof RequestLimits,
  { param, count, what }: { readonly param: string | null; readonly count: number; readonly what: string },
): void {
  if (count <= limits[name]) return;
  const where = param ?? "body";
  throw badRequest(param, `Invalid ${where}: it has ${count} ${what}, and this server takes ${limits[name]}`);
}
