import type { ToolSyntax } from "../../text/tool-syntax.js";
import {
  accept,
  forget,
  type IncomingText,
  isJsonObject,
  parseJsonValue,
  peek,
  type Reading,
  readJson,
  readJsonString,
  readWhile,
  skipSpace,
} from "./incoming-text.js";
import { readEntries } from "./tool-literals.js";

/** Takes the calls that are read. */
export interface CallSink {
  /** Whether there is such a tool. */
  knows(name: string): boolean;
  begin(name: string): void;
  /** Adds to the arguments of the call, as JSON text. */
  write(text: string): void;
  end(): void;
}

/** Reads the calls at the reader's place. @returns whether there was at least one. */
export type CallReader = (incoming: IncomingText, sink: CallSink, syntax: ToolSyntax) => Reading<boolean>;

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

/** One object, or several between semicolons where calls have no marks. */
function* readObjects(incoming: IncomingText, sink: CallSink, { marksEach }: ToolSyntax): Reading<boolean> {
  if (!(yield* readObject(incoming, sink))) return false;
  while (!marksEach) {
    yield* skipSpace(incoming);
    const before = incoming.at;
    yield* accept(incoming, ";");
    yield* skipSpace(incoming);
    if ((yield* peek(incoming)) === "{" && (yield* readObject(incoming, sink))) continue;
    incoming.at = before;
    break;
  }
  return true;
}

/** A list of objects. Some models write a single object instead. */
function* readList(incoming: IncomingText, sink: CallSink): Reading<boolean> {
  yield* skipSpace(incoming);
  if (!(yield* accept(incoming, "["))) return yield* readObject(incoming, sink);
  for (let count = 0; ; count += 1) {
    const before = incoming.at;
    if (!(yield* readObject(incoming, sink))) {
      incoming.at = before;
      return count > 0;
    }
    yield* skipSpace(incoming);
    if (yield* accept(incoming, "]")) return true;
    yield* accept(incoming, ",");
  }
}

/** The fields that hold arguments, in any syntax: models mix them up. */
const argumentKeys: ReadonlySet<string> = new Set(["arguments", "parameters"]);

/** Reads an object with a name and arguments. */
function* readObject(incoming: IncomingText, sink: CallSink): Reading<boolean> {
  let name: string | undefined;
  /** Arguments that stand before the name. */
  let early: string | undefined;
  let [hasBegun, isClosed] = [false, false];
  function begin(known: string): void {
    hasBegun = true;
    forget(incoming);
    sink.begin(known);
  }
  yield* skipSpace(incoming);
  if (!(yield* accept(incoming, "{"))) return false;
  for (;;) {
    yield* readWhile(incoming, /[\s,]/);
    isClosed = yield* accept(incoming, "}");
    if (isClosed) break;
    const key = yield* readJsonString(incoming);
    yield* skipSpace(incoming);
    if (key === undefined || !(yield* accept(incoming, ":"))) break;
    yield* skipSpace(incoming);
    if (key === "name" && name === undefined) {
      name = yield* readJsonString(incoming);
      if (name === undefined || !sink.knows(name)) return false;
    } else if (argumentKeys.has(key) && !hasBegun) {
      if (name !== undefined && (yield* peek(incoming)) === "{") {
        begin(name);
        if (!(yield* readJson(incoming, sink.write))) break;
        continue;
      }
      early = yield* readHeldArguments(incoming);
      if (early === undefined) return false;
    } else if (!(yield* readJson(incoming, () => undefined))) break;
  }
  if (!hasBegun) {
    if (name === undefined || !isClosed) return false;
    begin(name);
    sink.write(early ?? "{}");
  }
  sink.end();
  return true;
}

/** Arguments that are handed on as a whole: before the name, as JSON text in a string, or null. */
function* readHeldArguments(incoming: IncomingText): Reading<string | undefined> {
  let read = "";
  if (!(yield* readJson(incoming, (text) => (read += text)))) return undefined;
  const value = parseJsonValue(read);
  if (value === null) return "{}";
  const text = typeof value === "string" ? value : read;
  return isJsonObject(parseJsonValue(text)) ? text : undefined;
}

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

/** `[name(key=value, …), …]`. Between marks, the brackets may be absent. */
function* readPython(incoming: IncomingText, sink: CallSink, { opening }: ToolSyntax): Reading<boolean> {
  yield* skipSpace(incoming);
  const isList = yield* accept(incoming, "[");
  if (!isList && opening === "") return false;
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
function* readBraces(incoming: IncomingText, sink: CallSink): Reading<boolean> {
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
