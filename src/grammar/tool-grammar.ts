import { BitNetError } from "../errors.js";
import type { Tool } from "../text/chat-template.js";
import type { Steps } from "../text/slices.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { marksOf, type ToolSyntax } from "../text/tool-syntax.js";
import { choice, type Expression, empty, repeat, sequence, text } from "./expression.js";
import { createGrammarAsync, type Grammar } from "./grammar.js";
import { jsonSchemaSteps } from "./json-schema/json-schema.js";
import type { OnWeakened } from "./json-schema/weaken.js";

export interface ToolGrammarOptions {
  readonly syntax: ToolSyntax;
  readonly tools: readonly Tool[];
  /** At least one call is written. Default: 1. */
  readonly maxCalls?: number | undefined;
  /** The text may be JSON that this schema accepts, instead of calls. Default: it may not. */
  readonly otherwiseJson?: unknown;
  /** Receives keywords of `otherwiseJson` that are left out. Default: they are refused. */
  readonly onWeakened?: OnWeakened | undefined;
}

/** Calls of any of the tools, in the model's syntax. Compiled in slices. */
export async function toolCallGrammar(tokenizer: Tokenizer, options: ToolGrammarOptions): Promise<Grammar> {
  const marks = controlMarks(tokenizer, options.syntax);
  const grammar = await createGrammarAsync(toolCallSteps(options, marks));
  if (marks.size === 0) return grammar;
  const shown = showMarks(tokenizer, marks);
  const within = (other: Tokenizer): Tokenizer => (other === tokenizer ? shown : other);
  return {
    start: (other) => grammar.start(within(other)),
    prepare: (other) => grammar.prepare(within(other)),
  };
}

function* toolCallSteps(
  { syntax, tools, maxCalls = 1, otherwiseJson, onWeakened }: ToolGrammarOptions,
  marks: Marks,
): Steps<Expression> {
  const { opening, closing, marksEach, written } = syntax;
  const [begin, end] = [spell(opening + written.first, marks), spell(written.last + closing, marks)];
  const calls: Expression[] = [];
  for (const { function: tool } of tools) {
    const name = text(written.beforeName + (written.quoted ? JSON.stringify(tool.name) : tool.name));
    calls.push(sequence(name, yield* callArguments(syntax, tool.parameters, marks)));
  }
  const call = marksEach ? sequence(begin, choice(...calls), end) : choice(...calls);
  const further = sequence(spell(written.separator, marks), call);
  const all = maxCalls > 1 ? sequence(call, repeat(further, 0, maxCalls - 1)) : call;
  const forced = marksEach ? all : sequence(begin, all, end);
  return otherwiseJson === undefined
    ? forced
    : choice(forced, yield* jsonSchemaSteps(otherwiseJson, onWeakened));
}

/** Arguments are an object, also if the tool's schema does not say so. */
function argumentsObject(parameters: unknown): unknown {
  if (parameters === true) return { type: "object" };
  return isObject(parameters) && parameters.type === undefined
    ? { ...parameters, type: "object" }
    : parameters;
}

/** The most arguments that are written by name, one by one. */
const maxNamed = 64;

/** The arguments of a call, with the text before and after them. */
function* callArguments({ body, written }: ToolSyntax, parameters: unknown, marks: Marks): Steps<Expression> {
  const [before, after] = [written.beforeArguments, written.afterArguments].map((part) => spell(part, marks));
  if (before === undefined || after === undefined) return empty;
  if (body !== "python" && body !== "braces")
    return sequence(before, yield* schemaSteps(argumentsObject(parameters)), after);
  const named = yield* namedArguments(parameters, body === "python" ? "=" : ":");
  if (named !== undefined) return sequence(before, named, after);
  const whole = yield* schemaSteps(argumentsObject(parameters));
  // All arguments as one dictionary: `name(**{…})` in Python.
  return body === "python" ? sequence(before, text("**"), whole, after) : whole;
}

/**
 * `key=value, …`: required arguments before others. Values are JSON, which the parser takes for literals.
 *
 * @returns undefined if the schema is not of fixed properties whose names need no quotes.
 */
function* namedArguments(parameters: unknown, equals: string): Steps<Expression | undefined> {
  if (!isObject(parameters ?? {})) return undefined;
  const { type, properties = {}, required = [], $defs, definitions, ...rest } = (parameters ?? {}) as Fields;
  const isPlain = Object.keys(rest).every((key) => harmlessKeys.has(key));
  if (!isPlain || (type ?? "object") !== "object" || !isObject(properties)) return undefined;
  const names = Object.keys(properties);
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  if (names.length > maxNamed || !names.every((name) => /^[A-Za-z_]\w*$/.test(name))) return undefined;
  if (!needed.every((name) => typeof name === "string" && names.includes(name))) return undefined;
  const shared = { ...($defs !== undefined && { $defs }), ...(definitions !== undefined && { definitions }) };
  const must: Expression[] = [];
  const may: Expression[] = [];
  for (const name of names) {
    const schema = properties[name];
    const value = yield* schemaSteps(isObject(schema) ? { ...schema, ...shared } : schema, {});
    (needed.includes(name) ? must : may).push(sequence(text(`${name}${equals}`), value));
  }
  const comma = text(", ");
  const tail = sequence(...may.map((each) => choice(sequence(comma, each), empty)));
  if (must.length > 0) return sequence(...joined(must, comma), tail);
  // The first argument has no comma. It is any of them, and later ones follow.
  return choice(
    empty,
    ...may.map((first, index) =>
      sequence(first, ...may.slice(index + 1).map((each) => choice(sequence(comma, each), empty))),
    ),
  );
}

type Fields = Readonly<Record<string, unknown>>;

const harmlessKeys: ReadonlySet<string> = new Set([
  ...["additionalProperties", "title", "description", "$schema", "$id"],
]);

function joined(parts: readonly Expression[], comma: Expression): Expression[] {
  return parts.flatMap((part, index) => (index === 0 ? [part] : [comma, part]));
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Values by a schema, without its unsupported keywords. If the schema is invalid, the values of `otherwise`.
 */
function* schemaSteps(schema: unknown, otherwise: object = { type: "object" }): Steps<Expression> {
  const attempts: readonly (() => Steps<Expression>)[] = [
    () => jsonSchemaSteps(schema ?? otherwise),
    // A schema without some keywords still has the type of arguments.
    () => jsonSchemaSteps(isObject(schema) ? { ...otherwise, ...schema } : schema, () => undefined),
  ];
  for (const attempt of attempts) {
    try {
      return yield* attempt();
    } catch (error) {
      if (!(error instanceof BitNetError)) throw error;
    }
  }
  return yield* jsonSchemaSteps(otherwise);
}

/** The control tokens of a syntax, by their spelling. */
type Marks = ReadonlyMap<string, number>;

function controlMarks(tokenizer: Tokenizer, syntax: ToolSyntax): Marks {
  const marks = new Map<string, number>();
  for (const mark of marksOf(syntax)) {
    const [id, ...more] = tokenizer.cutControls(mark);
    if (typeof id === "number" && more.length === 0) marks.set(mark, id);
  }
  return marks;
}

/** No UTF-8 text has this byte. So no token of text can stand for a control token. */
const markByte = 0xff;

/** A text with marks. Control tokens among them have bytes in this grammar only. */
function spell(spelling: string, marks: Marks): Expression {
  for (const [mark, id] of marks) {
    const at = spelling.indexOf(mark);
    if (at === -1) continue;
    const [before, after] = [spelling.slice(0, at), spelling.slice(at + mark.length)];
    return sequence(spell(before, marks), { kind: "text", bytes: bytesOfMark(id) }, spell(after, marks));
  }
  return text(spelling);
}

function bytesOfMark(id: number): Uint8Array {
  return Uint8Array.of(markByte, id & 0xff, (id >> 8) & 0xff, id >> 16);
}

/** The tokenizers that show marks, by tokenizer and marks: grammars keep knowledge about them. */
const shownMarks = new WeakMap<Tokenizer, Map<string, Tokenizer>>();

function showMarks(tokenizer: Tokenizer, marks: Marks): Tokenizer {
  const known = shownMarks.get(tokenizer) ?? new Map<string, Tokenizer>();
  shownMarks.set(tokenizer, known);
  const ids = new Set(marks.values());
  const key = [...ids].join();
  let shown = known.get(key);
  if (shown === undefined) {
    shown = {
      ...tokenizer,
      tokenBytes(id, options): Uint8Array {
        if (ids.has(id)) return bytesOfMark(id);
        const bytes = tokenizer.tokenBytes(id, options);
        // Only single bytes of text can be this one.
        return bytes.includes(markByte) ? noBytes : bytes;
      },
    };
    known.set(key, shown);
  }
  return shown;
}

const noBytes = new Uint8Array(0);
