import type { ToolSyntax } from "../../text/tool-syntax.js";
import type { CallReader, CallSink } from "./call-sink.js";
import {
  accept,
  forget,
  type IncomingText,
  peek,
  type Reading,
  readJson,
  readWhile,
  skipSpace,
} from "./incoming-text.js";
import { readList, readObjects } from "./json-calls.js";
import { readBraces, readPython } from "./literal-calls.js";

/**
 * The readers of calls, by the body of a syntax. A call begins for the sink once its name is sure, so its
 * arguments are handed on as the model writes them, and are not checked. Before, nothing is handed on, and
 * the caller may take all of it for text.
 */
export const callReaders: Readonly<Record<ToolSyntax["body"], CallReader>> = {
  object: readObjects,
  list: readList,
  named: readNamedOrList,
  python: readPython,
  braces: readBraces,
};

/** Marks between a name and its arguments. */
const argumentMarks = ["[ARGS]", ">"] as const;

/** `name[ARGS]{…}`, `name[CALL_ID]id[ARGS]{…}`, `name>{…}`, `name{…}`; or a list. */
function* readNamedOrList(incoming: IncomingText, sink: CallSink): Reading<boolean> {
  yield* skipSpace(incoming);
  if (/[[{]/.test(yield* peek(incoming))) return yield* readList(incoming, sink);
  const name = yield* readWhile(incoming, /[\w.-]/);
  if (!sink.knows(name)) return false;
  if (yield* accept(incoming, "[CALL_ID]")) yield* readWhile(incoming, /\w/);
  for (const mark of argumentMarks) if (yield* accept(incoming, mark)) break;
  yield* skipSpace(incoming);
  if ((yield* peek(incoming)) !== "{") return false;
  forget(incoming);
  sink.begin(name);
  yield* readJson(incoming, sink.write);
  sink.end();
  return true;
}
