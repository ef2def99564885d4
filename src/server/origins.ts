import { BitNetError } from "../errors.js";

/** Origins whose pages may use a server. */
export interface AllowedOrigins {
  /** Number of origins and patterns. */
  readonly size: number;
  readonly allowsAll: boolean;
  readonly allows: (origin: string) => boolean;
}

/**
 * Reads origins that an operator allows. Capitals, default ports and slashes at the end make no difference.
 * Besides origins there are "*" for all, and patterns such as "chrome-extension://*".
 *
 * @throws BitNetError INVALID_ARGUMENT for a text that no browser sends as an origin.
 */
export function readAllowedOrigins(given: string | readonly string[] = []): AllowedOrigins {
  const origins = new Set([given].flat().map(readOrigin));
  const allowsAll = origins.has("*");
  return {
    size: origins.size,
    allowsAll,
    allows: (origin) => allowsAll || origins.has(origin) || origins.has(origin.replace(/\/\/.*$/, "//*")),
  };
}

function readOrigin(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "*") return trimmed;
  const refuse = (why: string): BitNetError =>
    new BitNetError("INVALID_ARGUMENT", `Invalid cors: ${JSON.stringify(text)} (${why})`, {
      details: { option: "cors", value: text },
    });
  if (trimmed === "null") throw refuse('any page can have the origin null; allow all pages with "*"');
  const [, scheme = "", host = ""] = /^([a-z][a-z\d+.-]*):\/\/([^/?#\s@]+)\/*$/i.exec(trimmed) ?? [];
  if (scheme === "") {
    throw refuse('expected a scheme and a host without a path, such as "https://app.example"');
  }
  const lower = `${scheme}://${host}`.toLowerCase();
  if (!/^https?$/i.test(scheme)) {
    if (host === "*" || !host.includes("*")) return lower;
    throw refuse(`expected one name, or ${scheme}://* for all`);
  }
  if (host.includes("*")) throw refuse("patterns are for extensions only; give each origin");
  if (!URL.canParse(lower)) throw refuse("expected a host");
  return new URL(lower).origin;
}
