import { sha256Hex } from "../platform/node-checksums.js";

/** The fields of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** A request of a batch. */
export interface BatchRequest {
  /** Its line in the input, from 1. */
  readonly line: number;
  /** Digest of the model and the request: the same request has the same id in every run. */
  readonly id: string;
  readonly customId: string;
  /** Path of a POST route of the server, such as "/v1/chat/completions". */
  readonly url: string;
  readonly body: Fields;
}

/** A line of the input that is not a request. */
export interface InvalidLine {
  readonly line: number;
  readonly id: string;
  /** Null if it cannot be read. */
  readonly customId: string | null;
  /** For programs, such as "duplicate_custom_id". */
  readonly code: string;
  readonly problem: string;
}

/** Reads one line after another. It remembers custom_ids, because each may occur once. */
export type ParseLine = (line: number, text: string | undefined) => BatchRequest | InvalidLine;

/** @param model digest of the model: requests to another model have other ids. */
export function createLineParser(model: string): ParseLine {
  /** The first line of each custom_id. */
  const seen = new Map<string, number>();

  return (line, text) => {
    let customId: string | null = null;
    const invalid = (code: string, problem: string): InvalidLine => ({
      line,
      id: idOf(["line", line, text ?? ""]),
      customId,
      code,
      problem,
    });
    if (text === undefined) return invalid("invalid_json", "it is not UTF-8");
    let fields: unknown;
    try {
      fields = JSON.parse(text) as unknown;
    } catch {
      return invalid("invalid_json", "it is not JSON");
    }
    if (!isObject(fields)) return invalid("invalid_json", "it is not a JSON object");
    const { custom_id: name, method, url, body } = fields;
    if (typeof name !== "string" || name === "") {
      return invalid("missing_custom_id", "it has no custom_id (expected a text)");
    }
    customId = name;
    const first = seen.get(name);
    if (first !== undefined) {
      return invalid("duplicate_custom_id", `its custom_id ${quote(name)} is that of line ${first} already`);
    }
    seen.set(name, line);
    if (method !== "POST")
      return invalid("invalid_method", `its method is ${quote(method)} (expected "POST")`);
    if (typeof url !== "string" || !/^(\/[^/?#\s\\]+)+\/?$/.test(url)) {
      return invalid(
        "invalid_url",
        `its url is ${quote(url)} (expected a path, such as "/v1/chat/completions")`,
      );
    }
    if (!isObject(body)) return invalid("invalid_body", "its body is not a JSON object");
    if (body.stream === true) {
      return invalid("invalid_body", 'its body asks for "stream": true (a batch has whole answers only)');
    }
    return { line, id: idOf([model, name, url, body]), customId: name, url, body };
  };
}

export function isInvalid(parsed: BatchRequest | InvalidLine): parsed is InvalidLine {
  return "problem" in parsed;
}

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value from a file, short enough for a message. */
export function quote(value: unknown): string {
  const text = value === undefined ? "missing" : JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

function idOf(parts: readonly unknown[]): string {
  return `batch_req_${sha256Hex(JSON.stringify(parts)).slice(0, 32)}`;
}
