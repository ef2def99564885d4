import type { ToolSyntax } from "../../text/tool-syntax.js";
import type { CallSink } from "./call-sink.js";
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

/** One object, or several between semicolons where calls have no marks. */
export function* readObjects(
  incoming: IncomingText,
  sink: CallSink,
  { marksEach }: ToolSyntax,
): Reading<boolean> {
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
export function* readList(incoming: IncomingText, sink: CallSink): Reading<boolean> {
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
