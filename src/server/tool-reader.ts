import type { ToolCall, ToolSyntax } from "../text/chat-template.js";

/** What a piece of an answer comes to. */
export interface Reading {
  readonly text: string;
  readonly calls: readonly ToolCall[];
}

/** Tells text and calls of tools apart, in an answer that comes in pieces. */
export interface ToolReader {
  push(piece: string): Reading;
  /** Ends the answer. */
  end(): Reading;
}

/** @param names of tools that there are: what asks for another is text. */
export function createToolReader(syntax: ToolSyntax, names: readonly string[]): ToolReader {
  return syntax === "tagged" ? createTaggedReader(names) : createJsonReader(names);
}

/** Of answers in which there can be no calls. */
export function createPlainReader(): ToolReader {
  return { push: (text) => ({ text, calls: [] }), end: () => ({ text: "", calls: [] }) };
}

const opening = "<tool_call>";
const closing = "</tool_call>";

function createTaggedReader(names: readonly string[]): ToolReader {
  /** What is not yet known to be text. */
  let held = "";
  let inside = false;
  let called = false;

  /** The text before `end` of what is held; white space around calls is none. */
  function release(end: number, beforeCall: boolean): string {
    const all = held.slice(0, end);
    const text = called ? all.trimStart() : all;
    const kept = beforeCall ? text.trimEnd() : text;
    // White space may yet turn out to stand before a call.
    const certain = beforeCall ? kept.length : kept.trimEnd().length;
    held = kept.slice(certain) + held.slice(end);
    if (certain > 0) called = false;
    return kept.slice(0, certain);
  }

  function read(): Reading {
    let text = "";
    const calls: ToolCall[] = [];
    for (;;) {
      if (inside) {
        const end = held.indexOf(closing);
        if (end === -1) return { text, calls };
        const call = parseCall(held.slice(0, end), names);
        if (call === undefined) text += opening + held.slice(0, end) + closing;
        else calls.push(call);
        held = held.slice(end + closing.length);
        [inside, called] = [false, call !== undefined];
        continue;
      }
      const begin = held.indexOf(opening);
      if (begin === -1) {
        text += release(held.length - beginningOf(opening, held), false);
        return { text, calls };
      }
      text += release(begin, true);
      held = held.slice(opening.length);
      inside = true;
    }
  }

  return {
    push(piece): Reading {
      held += piece;
      return read();
    },
    end(): Reading {
      if (inside) {
        // Some end the answer instead of the call.
        const call = parseCall(held, names);
        return call === undefined ? { text: opening + held, calls: [] } : { text: "", calls: [call] };
      }
      const text = called ? held.trim() : held;
      return { text, calls: [] };
    },
  };
}

function createJsonReader(names: readonly string[]): ToolReader {
  let held = "";
  let plain = false;
  return {
    push(piece): Reading {
      held += piece;
      plain ||= /^\s*[^\s{]/.test(held);
      if (!plain) return { text: "", calls: [] };
      const text = held;
      held = "";
      return { text, calls: [] };
    },
    end(): Reading {
      const whole = parseCall(held, names);
      const calls = whole === undefined ? held.split(";").map((each) => parseCall(each, names)) : [whole];
      const known = calls.filter((call) => call !== undefined);
      return known.length === calls.length ? { text: "", calls: known } : { text: held, calls: [] };
    },
  };
}

/** How much of a text's end could be the beginning of a mark. */
function beginningOf(mark: string, text: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(mark.slice(0, length))) return length;
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
