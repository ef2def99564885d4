import { BitNetError } from "../errors.js";
import type { Tool, ToolSyntax } from "../text/chat-template.js";
import { choice, type Expression, sequence, text } from "./expression.js";
import { createGrammar, type Grammar } from "./grammar.js";
import { jsonSchemaExpression } from "./json-schema.js";

const spellings: Readonly<
  Record<ToolSyntax, { readonly begin: string; readonly given: string; readonly end: string }>
> = {
  tagged: { begin: '<tool_call>\n{"name": ', given: "arguments", end: "}\n</tool_call>" },
  json: { begin: '{"name": ', given: "parameters", end: "}" },
};

/** One call of one of several tools, as a model writes it. */
export function toolCallGrammar(syntax: ToolSyntax, tools: readonly Tool[]): Grammar {
  const { begin, given, end } = spellings[syntax];
  const calls = tools.map(({ function: { name, parameters } }) =>
    sequence(text(`${JSON.stringify(name)}, "${given}": `), argumentsOf(parameters)),
  );
  return createGrammar(sequence(text(begin), choice(...calls), text(end)));
}

/** Tools are described with schemas of all kinds: where one cannot be kept to, its arguments are at least an object. */
function argumentsOf(parameters: unknown): Expression {
  const any = { type: "object" };
  try {
    return jsonSchemaExpression(parameters ?? any);
  } catch (error) {
    if (!(error instanceof BitNetError)) throw error;
    return jsonSchemaExpression(any);
  }
}
