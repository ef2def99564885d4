import type { ToolCall, ToolSyntax } from "../../text/chat-template.js";

/** The text and the calls in a part of an answer. */
export interface ParsedPart {
  readonly text: string;
  readonly calls: readonly ToolCall[];
}

/** Separates text from tool calls, in an answer that arrives in pieces. */
export interface ToolCallParser {
  push(piece: string): ParsedPart;
  /** Ends the answer. */
  end(): ParsedPart;
}

/** @param names names of the offered tools; a call to any other name is treated as text. */
export function createToolCallParser(syntax: ToolSyntax, names: readonly string[]): ToolCallParser {
  return syntax === "tagged" ? createTaggedParser(names) : createJsonParser(names);
}

/** The parser of an answer that cannot contain calls. */
export function createTextParser(): ToolCallParser {
  return { push: (text) => ({ text, calls: [] }), end: () => ({ text: "", calls: [] }) };
}

const opening = "<tool_call>";
const closing = "</tool_call>";

/** The tags that the parser must see, also where they are control tokens. */
export function tagsOf(syntax: ToolSyntax): readonly string[] {
  return syntax === "tagged" ? [opening, closing] : [];
}

/** Parses calls between tags, with text around them. */
function createTaggedParser(names: readonly string[]): ToolCallParser {
  /** The part of the answer that may still belong to a tag or a call. */
  let held = "";
  let insideCall = false;
  let afterCall = false;

  /**
   * Takes text off the front of `held`, without white space next to calls.
   *
   * @param end where the text ends in `held`.
   */
  function takeText(end: number, { beforeCall }: { readonly beforeCall: boolean }): string {
    const all = held.slice(0, end);
    const text = afterCall ? all.trimStart() : all;
    const trimmed = text.trimEnd();
    // Trailing white space is kept back: a call may follow. Directly before a call it is dropped.
    held = (beforeCall ? "" : text.slice(trimmed.length)) + held.slice(end);
    if (trimmed !== "") afterCall = false;
    return trimmed;
  }

  function parseHeld(): ParsedPart {
    let text = "";
    const calls: ToolCall[] = [];
    for (;;) {
      if (insideCall) {
        const end = held.indexOf(closing);
        if (end === -1) return { text, calls };
        const call = parseCall(held.slice(0, end), names);
        if (call === undefined) text += opening + held.slice(0, end) + closing;
        else calls.push(call);
        held = held.slice(end + closing.length);
        [insideCall, afterCall] = [false, call !== undefined];
        continue;
      }
      const begin = held.indexOf(opening);
      if (begin === -1) {
        text += takeText(held.length - prefixAtEnd(opening, held), { beforeCall: false });
        return { text, calls };
      }
      text += takeText(begin, { beforeCall: true });
      held = held.slice(opening.length);
      insideCall = true;
    }
  }

  return {
    push(piece): ParsedPart {
      held += piece;
      return parseHeld();
    },
    end(): ParsedPart {
      if (insideCall) {
        // Some models stop without writing the closing tag.
        const call = parseCall(held, names);
        return call === undefined ? { text: opening + held, calls: [] } : { text: "", calls: [call] };
      }
      const text = afterCall ? held.trim() : held;
      return { text, calls: [] };
    },
  };
}

/** Parses answers that are calls only: one object of JSON, or several between semicolons. */
function createJsonParser(names: readonly string[]): ToolCallParser {
  let held = "";
  let isText = false;
  return {
    push(piece): ParsedPart {
      held += piece;
      isText ||= /^\s*[^\s{]/.test(held);
      if (!isText) return { text: "", calls: [] };
      const text = held;
      held = "";
      return { text, calls: [] };
    },
    end(): ParsedPart {
      const whole = parseCall(held, names);
      const calls = whole === undefined ? held.split(";").map((each) => parseCall(each, names)) : [whole];
      const known = calls.filter((call) => call !== undefined);
      return known.length === calls.length ? { text: "", calls: known } : { text: held, calls: [] };
    },
  };
}

/** The length of the longest prefix of `tag` that ends the text. */
function prefixAtEnd(tag: string, text: string): number {
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(tag.slice(0, length))) return length;
  }
  return 0;
}

function parseCall(text: string, names: readonly string[]): ToolCall | undefined {
  const call = parseObject(text);
  if (call === undefined) return undefined;
  const { name } = call;
  const given = call.arguments ?? call.parameters ?? {};
  const values = typeof given === "string" ? parseObject(given) : given;
  if (typeof name !== "string" || !names.includes(name)) return undefined;
  if (typeof values !== "object" || values === null || Array.isArray(values)) return undefined;
  return { name, arguments: values };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
