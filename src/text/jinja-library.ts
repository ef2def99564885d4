import * as library from "@huggingface/jinja";

/** A value of a template while it is rendered. */
export interface TemplateValue {
  readonly type: string;
  readonly value: unknown;
  toString(): string;
}

/** A string of a template. Its methods, such as `strip`, are in `builtins`. */
export interface StringLike extends TemplateValue {
  readonly value: string;
  readonly builtins: ReadonlyMap<string, TemplateValue>;
}

export interface ListLike extends TemplateValue {
  readonly value: readonly TemplateValue[];
}

export interface MappingLike extends TemplateValue {
  readonly value: ReadonlyMap<string, TemplateValue>;
  readonly builtins: ReadonlyMap<string, TemplateValue>;
  items(): ListLike;
  keys(): ListLike;
}

/** A part of a template. */
export interface TemplateNode {
  readonly type: string;
  readonly body?: readonly TemplateNode[];
  /** Of a loop: what runs when the list is empty. */
  readonly defaultBlock?: readonly TemplateNode[];
  readonly loopvar?: TemplateNode;
  /** The list that a loop walks through. A list with a condition has the list in `lhs`. */
  readonly iterable?: TemplateNode;
  readonly lhs?: TemplateNode;
  /** Of a member expression: the value, and the name or index in it. */
  readonly object?: TemplateNode;
  readonly property?: TemplateNode;
  readonly computed?: boolean;
  readonly operand?: TemplateNode;
  readonly test?: TemplateNode;
  readonly negate?: boolean;
  /** Of an operation. */
  readonly left?: TemplateNode;
  readonly right?: TemplateNode;
  readonly operator?: { readonly value: string };
  /** Of a slice. */
  readonly start?: TemplateNode;
  readonly stop?: TemplateNode;
  readonly step?: TemplateNode;
  /** Of a call: the function's or filter's name. */
  readonly callee?: TemplateNode;
  readonly args?: readonly TemplateNode[];
  /** A name, a number, the entries of a literal. */
  readonly value?: unknown;
}

export interface EnvironmentLike {
  set(name: string, value: unknown): TemplateValue;
  setVariable(name: string, value: TemplateValue): TemplateValue;
  readonly tests: ReadonlyMap<string, (...values: TemplateValue[]) => boolean>;
}

/** Positional and named arguments. */
export type Arguments = readonly [readonly TemplateValue[], ReadonlyMap<string, TemplateValue>];

/** The methods that `bounded-template.ts` replaces or calls. The library declares most of them private. */
interface InterpreterLike {
  run(program: TemplateNode): TemplateValue;
  evaluate(node: TemplateNode | undefined, environment: EnvironmentLike): TemplateValue;
  evaluateBlock(statements: readonly TemplateNode[], environment: EnvironmentLike): TemplateValue;
  evaluateFor(node: TemplateNode, environment: EnvironmentLike): TemplateValue;
  evaluateBinaryExpression(node: TemplateNode, environment: EnvironmentLike): TemplateValue;
  evaluateMemberExpression(node: TemplateNode, environment: EnvironmentLike): TemplateValue;
  evaluateTestExpression(node: TemplateNode, environment: EnvironmentLike): TemplateValue;
  evaluateArguments(args: readonly TemplateNode[], environment: EnvironmentLike): Arguments;
  applyFilter(operand: TemplateValue, filter: TemplateNode, environment: EnvironmentLike): TemplateValue;
}

/**
 * The part of `@huggingface/jinja` that we use. Its own declarations import files without extensions.
 * TypeScript does not resolve those under Node's module rules. So these declare version 0.5.
 */
interface JinjaLibrary {
  readonly Template: new (source: string) => {
    readonly parsed: TemplateNode;
    render(items: Readonly<Record<string, unknown>>): string;
  };
  readonly Interpreter: new (environment: EnvironmentLike) => InterpreterLike;
  readonly Environment: new () => EnvironmentLike;
}

const typed = library as unknown as JinjaLibrary;

export const Template: JinjaLibrary["Template"] = typed.Template;
export const Interpreter: JinjaLibrary["Interpreter"] = typed.Interpreter;
export const Environment: JinjaLibrary["Environment"] = typed.Environment;

/** The library does not export the classes of its values. An example of each has its class. */
function classOf({ example }: { readonly example: unknown }): unknown {
  return new Environment().set("example", example).constructor;
}

export const StringValue = classOf({ example: "" }) as new (value: string) => StringLike;
export const ListValue = classOf({ example: [] }) as new (value: readonly TemplateValue[]) => ListLike;
export const TupleValue = new Interpreter(new Environment()).evaluate(
  { type: "TupleLiteral", value: [] },
  new Environment(),
).constructor as new (value: readonly TemplateValue[]) => ListLike;
export const MappingValue = classOf({ example: {} }) as new (
  value: ReadonlyMap<string, TemplateValue>,
) => MappingLike;
export const IntegerValue = classOf({ example: 1 }) as new (value: number) => TemplateValue;
export const BooleanValue = classOf({ example: true }) as new (value: boolean) => TemplateValue;
export const UndefinedValue = classOf({ example: undefined }) as new () => TemplateValue;
export const FunctionValue = classOf({ example: () => null }) as new (
  call: (args: readonly TemplateValue[]) => TemplateValue,
) => TemplateValue;
