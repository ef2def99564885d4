import type { ToolSyntax } from "../../text/tool-syntax.js";
import type { CallSink } from "./call-sink.js";
import {
  accept,
  forget,
  type IncomingText,
  peek,
  type Reading,
  readWhile,
  skipSpace,
} from "./incoming-text.js";
import { readList } from "./json-calls.js";
import { readEntries } from "./tool-literals.js";

/**
 * `[name(key=value, …), …]`. Between marks, the brackets may be absent, and a block of code may be around the
 * calls. Some templates ask for JSON in the same place.
 */
export function* readPython(
  incoming: IncomingText,
  sink: CallSink,
  { opening }: ToolSyntax,
): Reading<boolean> {
  yield* skipSpace(incoming);
  if (opening !== "" && (yield* accept(incoming, codeBlock.begin))) {
    const hasCalls = yield* readPythonCalls(incoming, sink, { isList: false });
    yield* skipSpace(incoming);
    if (hasCalls) yield* accept(incoming, codeBlock.end);
    return hasCalls;
  }
  const begin = incoming.at;
  const isList = yield* accept(incoming, "[");
  if (!isList && opening === "") return false;
  yield* skipSpace(incoming);
  if ((yield* peek(incoming)) === "{") {
    incoming.at = begin;
    return yield* readList(incoming, sink);
  }
  return yield* readPythonCalls(incoming, sink, { isList });
}

const codeBlock = { begin: "```python", end: "```" } as const;

function* readPythonCalls(
  incoming: IncomingText,
  sink: CallSink,
  { isList }: { readonly isList: boolean },
): Reading<boolean> {
  for (let count = 0; ; count += 1) {
    yield* skipSpace(incoming);
    const before = incoming.at;
    const name = yield* readWhile(incoming, /[\w.-]/);
    const values = sink.knows(name) ? yield* readEntries(incoming, "(", ")") : undefined;
    if (values === undefined) {
      incoming.at = before;
      return count > 0;
    }
    handOn(sink, name, values);
    forget(incoming);
    yield* skipSpace(incoming);
    if (isList && (yield* accept(incoming, "]"))) return true;
    yield* accept(incoming, ",");
  }
}

/** `call:name{key:value, …}`. */
export function* readBraces(incoming: IncomingText, sink: CallSink): Reading<boolean> {
  yield* skipSpace(incoming);
  if (!(yield* accept(incoming, "call:"))) return false;
  const name = yield* readWhile(incoming, /[\w.-]/);
  const values = sink.knows(name) ? yield* readEntries(incoming, "{", "}") : undefined;
  if (values === undefined) return false;
  handOn(sink, name, values);
  return true;
}

/** A call whose arguments are no JSON of the model's. They are handed on at its end. */
function handOn(sink: CallSink, name: string, values: string): void {
  sink.begin(name);
  sink.write(values);
  sink.end();
}
