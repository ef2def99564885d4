import { BitNetError } from "../errors.js";
import type { Tool, ToolSyntax } from "../text/chat-template.js";
import { choice, type Expression, sequence, text } from "./expression.js";
import { createGrammarAsync, type Grammar } from "./grammar.js";
import { jsonSchemaExpression } from "./json-schema/json-schema.js";

const spellings: Readonly<
  Record<ToolSyntax, { readonly begin: string; readonly given: string; readonly end: string }>
> = {
  tagged: { begin: '<tool_call>\n{"name": ', given: "arguments", end: "}\n</tool_call>" },
  json: { begin: '{"name": ', given: "parameters", end: "}" },
};

/** One call of any of the tools, in the model's syntax. Compiled in slices. */
export function toolCallGrammar(syntax: ToolSyntax, tools: readonly Tool[]): Promise<Grammar> {
  return createGrammarAsync(toolCall(syntax, tools));
}

/** One call of any of the tools, or JSON that a schema accepts. Compiled in slices. */
export function toolCallOrJsonGrammar(
  syntax: ToolSyntax,
  tools: readonly Tool[],
  schema: unknown,
): Promise<Grammar> {
  return createGrammarAsync(choice(toolCall(syntax, tools), jsonSchemaExpression(schema)));
}

function toolCall(syntax: ToolSyntax, tools: readonly Tool[]): Expression {
  const { begin, given, end } = spellings[syntax];
  const calls = tools.map(({ function: { name, parameters } }) =>
    sequence(text(`${JSON.stringify(name)}, "${given}": `), argumentsOf(parameters)),
  );
  return sequence(text(begin), choice(...calls), text(end));
}

/** The arguments by the tool's schema. If the schema is unsupported, any object. */
function argumentsOf(parameters: unknown): Expression {
  const any = { type: "object" };
  try {
    return jsonSchemaExpression(parameters ?? any);
  } catch (error) {
    if (!(error instanceof BitNetError)) throw error;
    return jsonSchemaExpression(any);
  }
}
