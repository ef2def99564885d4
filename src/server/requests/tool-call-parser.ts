import type { ToolSyntax } from "../../text/tool-syntax.js";
import type { CallSink } from "./call-sink.js";
import {
  accept,
  forget,
  type IncomingText,
  more,
  type Reading,
  readWhile,
  skipSpace,
} from "./incoming-text.js";
import { callReaders } from "./tool-call-readers.js";

/** A part of an answer, in order. A call begins, is written and ends before the next part. */
export type AnswerPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "callBegin"; readonly name: string }
  /** Further text of the call's arguments: JSON, as the model writes it. */
  | { readonly kind: "arguments"; readonly text: string }
  | { readonly kind: "callEnd" };

/** Separates text from tool calls, in an answer that arrives in pieces. */
export interface ToolCallParser {
  push(piece: string): AnswerPart[];
  /** Ends the answer. */
  end(): AnswerPart[];
}

export interface ToolCallParserOptions {
  /** Names of the offered tools. A call to any other name is text. */
  readonly names: readonly string[];
  /** Everything after so many calls is dropped. Default: no limit. */
  readonly maxCalls?: number | undefined;
}

/** The parser of an answer that cannot contain calls. */
export function createTextParser(): ToolCallParser {
  return { push: (text) => (text === "" ? [] : [{ kind: "text", text }]), end: () => [] };
}

/** White space beside calls is dropped. */
export function createToolCallParser(
  syntax: ToolSyntax,
  { names, maxCalls = Infinity }: ToolCallParserOptions,
): ToolCallParser {
  const incoming: IncomingText = { text: "", at: 0, hasEnded: false };
  let parts: AnswerPart[] = [];
  let callCount = 0;
  /** Whether white space is dropped: after a call. */
  let isAfterCall = false;
  const add = (part: AnswerPart): void => {
    if (callCount < maxCalls) parts.push(part);
  };

  const sink: CallSink = {
    knows: (name) => names.includes(name),
    begin: (name) => add({ kind: "callBegin", name }),
    write: (text) => add({ kind: "arguments", text }),
    end(): void {
      add({ kind: "callEnd" });
      callCount += 1;
      isAfterCall = true;
    },
  };

  function addText(text: string): void {
    const shown = isAfterCall ? text.trimStart() : text;
    if (shown === "") return;
    isAfterCall = false;
    add({ kind: "text", text: shown });
  }

  /** Reads text up to the opening mark. @returns the white space before it; undefined without a mark. */
  function* readText(mark: string): Reading<string | undefined> {
    for (;;) {
      const found = incoming.text.indexOf(mark, incoming.at);
      const end = found === -1 ? incoming.text.length - prefixAtEnd(mark, incoming.text) : found;
      const all = incoming.text.slice(incoming.at, end);
      const text = all.trimEnd();
      addText(text);
      if (found !== -1) {
        incoming.at = found + mark.length;
        return all.slice(text.length);
      }
      // A call may follow. White space before it is dropped.
      incoming.at += text.length;
      forget(incoming);
      if (yield* more(incoming)) continue;
      addText(incoming.text);
      return undefined;
    }
  }

  function* readMarked(): Reading<void> {
    for (;;) {
      const space = yield* readText(syntax.opening);
      if (space === undefined) return;
      const begin = incoming.at;
      if (yield* callReaders[syntax.body](incoming, sink, syntax)) {
        yield* readWhile(incoming, /[\s\]}]/);
        yield* skipClosing();
      } else {
        incoming.at = begin;
        addText(space + syntax.opening);
      }
      forget(incoming);
    }
  }

  /** Skips the closing mark, or its beginning if the answer ends there, for example at max_tokens. */
  function* skipClosing(): Reading<void> {
    if (syntax.closing === "" || (yield* accept(incoming, syntax.closing))) return;
    if (syntax.closing.startsWith(incoming.text.slice(incoming.at))) incoming.at = incoming.text.length;
  }

  /** Calls begin the answer, or there are none. */
  function* readUnmarked(): Reading<void> {
    yield* skipMarks();
    if (yield* callReaders[syntax.body](incoming, sink, syntax)) yield* skipMarks();
    else incoming.at = 0;
    do {
      addText(incoming.text.slice(incoming.at));
      incoming.at = incoming.text.length;
      forget(incoming);
    } while (yield* more(incoming));
  }

  function* skipMarks(): Reading<void> {
    yield* skipSpace(incoming);
    for (const mark of syntax.otherMarks) if (yield* accept(incoming, mark)) return;
  }

  const reading = syntax.opening === "" ? readUnmarked() : readMarked();
  function proceed(): AnswerPart[] {
    reading.next();
    const read = parts;
    parts = [];
    return read;
  }
  return {
    push(piece): AnswerPart[] {
      incoming.text += piece;
      return proceed();
    },
    end(): AnswerPart[] {
      incoming.hasEnded = true;
      return proceed();
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
