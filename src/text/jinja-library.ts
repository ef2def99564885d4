import * as library from "@huggingface/jinja";

/** A value of a template while it is rendered. */
export interface TemplateValue {
  readonly type: string;
  readonly value: unknown;
}

/** A part of a template. */
export interface TemplateNode {
  readonly type: string;
  /** Of a member expression: what it looks into, and for what. */
  readonly object?: TemplateNode;
  readonly property?: TemplateNode;
  /** What a loop walks through; a list with a condition has the list in `lhs`. */
  readonly iterable?: TemplateNode;
  readonly lhs?: TemplateNode;
}

interface InterpreterLike {
  run(program: TemplateNode): TemplateValue;
  evaluate(node: TemplateNode | undefined, environment: EnvironmentLike): TemplateValue;
}

interface EnvironmentLike {
  set(name: string, value: unknown): TemplateValue;
}

/**
 * What is used of `@huggingface/jinja`. Its own declarations import files without extensions, which TypeScript does not resolve
 * under Node's module rules; these say what its 0.5 does.
 */
interface JinjaLibrary {
  readonly Template: new (source: string) => {
    readonly parsed: TemplateNode;
    render(items: Readonly<Record<string, unknown>>): string;
  };
  readonly Interpreter: new (environment: EnvironmentLike) => InterpreterLike;
  readonly Environment: new () => EnvironmentLike;
}

const typed: JinjaLibrary = library;

export const Template: JinjaLibrary["Template"] = typed.Template;
export const Interpreter: JinjaLibrary["Interpreter"] = typed.Interpreter;
export const Environment: JinjaLibrary["Environment"] = typed.Environment;
