/** How the models of a family write calls of functions: a row of `toolSyntaxes`. */
export interface ToolSyntax {
  readonly name:
    | "hermes"
    | "function-gemma"
    | "mistral-named"
    | "mistral"
    | "function-tag"
    | "tool-code"
    | "minicpm"
    | "lfm2"
    | "pythonic"
    | "llama3";
  /** Found in the text of a template that asks for this syntax. */
  readonly asks: RegExp;
  /** Found in templates that ask for another syntax with the same marks. */
  readonly unless?: RegExp;
  /** The mark before calls. Empty: calls begin the answer, and a mark may be absent. */
  readonly opening: string;
  /** The mark after calls. Empty: there is none. */
  readonly closing: string;
  /** Other marks that may be control tokens. */
  readonly otherMarks: readonly string[];
  /** Whether each call has its own pair of marks. */
  readonly marksEach: boolean;
  /** How a call is read. "object", "list": JSON. "named": a name, a mark, JSON. */
  readonly body: "object" | "list" | "named" | "python" | "braces";
  /** How a forced answer is written, between the marks. */
  readonly written: {
    readonly first: string;
    readonly beforeName: string;
    /** Whether the name is a JSON string. */
    readonly quoted: boolean;
    readonly beforeArguments: string;
    readonly afterArguments: string;
    readonly separator: string;
    readonly last: string;
  };
}

const jsonCall = {
  first: "",
  beforeName: '{"name": ',
  quoted: true,
  beforeArguments: ', "arguments": ',
  afterArguments: "}",
  separator: "",
  last: "",
};
const bareCall = {
  first: "",
  beforeName: "",
  quoted: false,
  beforeArguments: "(",
  afterArguments: ")",
  separator: ", ",
  last: "",
};

/** The first row that fits a template counts. */
export const toolSyntaxes: readonly ToolSyntax[] = [
  {
    // Hermes 2 and 3, Qwen 2.5 and 3: <tool_call>{"name": …, "arguments": {…}}</tool_call>.
    name: "hermes",
    asks: /<tool_call>/,
    // Qwen 3 Coder and GLM 4.5 write arguments as tags.
    unless: /<parameter=|<arg_key>/,
    opening: "<tool_call>",
    closing: "</tool_call>",
    otherMarks: [],
    marksEach: true,
    body: "object",
    written: { ...jsonCall, beforeName: '\n{"name": ', afterArguments: "}\n", separator: "\n" },
  },
  {
    // <start_function_call>call:name{key:<escape>text<escape>,key:1}<end_function_call>.
    name: "function-gemma",
    asks: /<start_function_call>/,
    opening: "<start_function_call>",
    closing: "<end_function_call>",
    otherMarks: ["<escape>"],
    marksEach: true,
    body: "braces",
    written: { ...bareCall, beforeName: "call:", beforeArguments: "{", afterArguments: "}", separator: "" },
  },
  {
    // Mistral since its tokenizer 11: [TOOL_CALLS]name[ARGS]{…}, also with [CALL_ID] and an id.
    name: "mistral-named",
    asks: /\[TOOL_CALLS\][^]*\[ARGS\]/,
    opening: "[TOOL_CALLS]",
    closing: "",
    otherMarks: ["[ARGS]", "[CALL_ID]"],
    marksEach: true,
    body: "named",
    written: { ...bareCall, beforeArguments: "[ARGS]", afterArguments: "", separator: "" },
  },
  {
    // Mistral before: [TOOL_CALLS][{"name": …, "arguments": {…}}, …].
    name: "mistral",
    asks: /\[TOOL_CALLS\]/,
    opening: "[TOOL_CALLS]",
    closing: "",
    otherMarks: [],
    marksEach: false,
    body: "list",
    written: { ...jsonCall, first: "[", separator: ", ", last: "]" },
  },
  {
    // Functionary 3.1 and Llama 3.1's custom tools: <function=name>{…}</function>.
    name: "function-tag",
    asks: /<function=/,
    unless: /<parameter=/,
    opening: "<function=",
    closing: "</function>",
    otherMarks: [],
    marksEach: true,
    body: "named",
    written: { ...bareCall, beforeArguments: ">", afterArguments: "", separator: "\n" },
  },
  {
    // Gemma 3 by Google's guide: a block of code with calls in Python.
    name: "tool-code",
    asks: /```tool_code/,
    opening: "```tool_code",
    closing: "```",
    otherMarks: [],
    marksEach: false,
    body: "python",
    written: { ...bareCall, first: "\n[", last: "]\n" },
  },
  {
    // MiniCPM 3 and 4: a block of code between marks, with a call in Python on each line.
    name: "minicpm",
    asks: /<\|tool_call_start\|>[^]*```python|```python[^]*<\|tool_call_start\|>/,
    opening: "<|tool_call_start|>",
    closing: "<|tool_call_end|>",
    otherMarks: [],
    marksEach: false,
    body: "python",
    written: { ...bareCall, first: "\n```python\n", separator: "\n", last: "\n```\n" },
  },
  {
    // LFM2: <|tool_call_start|>[name(key="text")]<|tool_call_end|>.
    name: "lfm2",
    asks: /<\|tool_list_start\|>|<\|tool_call_start\|>/,
    opening: "<|tool_call_start|>",
    closing: "<|tool_call_end|>",
    otherMarks: [],
    marksEach: false,
    body: "python",
    written: { ...bareCall, first: "[", last: "]" },
  },
  {
    // Llama 3.2 and 4, and Gemma 3, with templates that show [func_name1(params_name1=…), …].
    name: "pythonic",
    asks: /\[func_name1?\(/,
    opening: "",
    closing: "",
    otherMarks: ["<|python_start|>", "<|python_end|>"],
    marksEach: false,
    body: "python",
    written: { ...bareCall, first: "[", last: "]" },
  },
  {
    // Llama 3.1: {"name": …, "parameters": {…}}; several stand between semicolons.
    name: "llama3",
    asks: /\{"name": [^{}]*"parameters": /,
    opening: "",
    closing: "",
    otherMarks: ["<|python_tag|>"],
    marksEach: false,
    body: "object",
    written: { ...jsonCall, beforeArguments: ', "parameters": ', separator: "; " },
  },
];

/** The syntax that a chat template asks for. Undefined if it asks for none that is known. */
export function findToolSyntax(source: string): ToolSyntax | undefined {
  return toolSyntaxes.find(({ asks, unless }) => asks.test(source) && unless?.test(source) !== true);
}

/** The marks that the reader of an answer must see, also where they are control tokens. */
export function marksOf({ opening, closing, otherMarks }: ToolSyntax): readonly string[] {
  return [opening, closing, ...otherMarks].filter((mark) => mark !== "");
}
