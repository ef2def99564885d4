import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AnswerPart, createToolCallParser } from "#dist/server/requests/tool-call-parser.js";
import { type ToolSyntax, toolSyntaxes } from "#dist/text/tool-syntax.js";

const names = ["weather", "time"];

interface Parsed {
  readonly text: string;
  readonly calls: readonly { readonly name: string; readonly arguments: string }[];
}

function syntaxOf(name: ToolSyntax["name"]): ToolSyntax {
  const found = toolSyntaxes.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

/** Joins parts, and checks that they come in order. */
function join(parts: readonly AnswerPart[]): Parsed {
  let text = "";
  const calls: { name: string; arguments: string }[] = [];
  let isOpen = false;
  for (const part of parts) {
    expect(isOpen).toBe(part.kind === "arguments" || part.kind === "callEnd");
    if (part.kind === "text") text += part.text;
    else if (part.kind === "callBegin") {
      calls.push({ name: part.name, arguments: "" });
      isOpen = true;
    } else if (part.kind === "callEnd") isOpen = false;
    else {
      const last = calls.at(-1);
      if (last !== undefined) last.arguments += part.text;
    }
    if (part.kind === "text" || part.kind === "arguments") expect(part.text).not.toBe("");
  }
  expect(isOpen).toBe(false);
  return { text, calls };
}

/** Parses a text in pieces that are cut at these offsets. */
function parse(
  name: ToolSyntax["name"],
  text: string,
  cuts: readonly number[] = [],
  maxCalls?: number,
): Parsed {
  const parser = createToolCallParser(syntaxOf(name), { names, maxCalls });
  const offsets = [...cuts.map((cut) => cut % (text.length + 1)), 0, text.length].sort((a, b) => a - b);
  const pieces = offsets.slice(1).map((end, index) => text.slice(offsets[index], end));
  return join([...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()]);
}

const given = '{"city": "Ulm", "days": [1, {"a": "}]\\"</tool_call>"}]}';
const call = `{"name": "weather", "arguments": ${given}}`;
const weather = { name: "weather", arguments: given };
const time = { name: "time", arguments: "{}" };

/** Name of the syntax, the answer, its text, its calls. */
const answers: readonly (readonly [ToolSyntax["name"], string, string, Parsed["calls"]])[] = [
  ["hermes", "no call, just < and <tool", "no call, just < and <tool", []],
  ["hermes", `<tool_call>\n${call}\n</tool_call>`, "", [weather]],
  ["hermes", `Let me see.\n\n<tool_call>${call}</tool_call>\n`, "Let me see.", [weather]],
  [
    "hermes",
    `<tool_call>${call}</tool_call>\n<tool_call>{"name":"time"}</tool_call> and done`,
    "and done",
    [weather, time],
  ],
  // Arguments before the name; as text; null; further fields.
  ["hermes", `<tool_call>{"arguments": ${given}, "name": "weather"}</tool_call>`, "", [weather]],
  [
    "hermes",
    `<tool_call>{"name":"weather","arguments":"{\\"city\\":\\"Ulm\\"}"}</tool_call>`,
    "",
    [{ name: "weather", arguments: '{"city":"Ulm"}' }],
  ],
  ["hermes", `<tool_call>{"name":"time","arguments":null}</tool_call>`, "", [time]],
  ["hermes", `<tool_call>{"id": 1.5, "name":"time","arguments":{}, "x": [{}]}</tool_call>`, "", [time]],
  // Answers without the closing tag, or without a brace; a call that is cut.
  ["hermes", `<tool_call>${call}`, "", [weather]],
  ["hermes", `<tool_call>${call}<tool_call>{"name": "time"}`, "", [weather, time]],
  ["hermes", `<tool_call>${call.slice(0, -1)}</tool_call> x`, "x", [weather]],
  [
    "hermes",
    '<tool_call>{"name": "weather", "arguments": {"city": "U',
    "",
    [{ name: "weather", arguments: '{"city": "U' }],
  ],
  ["hermes", '<tool_call>{"name": "weather", "arg', '<tool_call>{"name": "weather", "arg', []],
  ["hermes", "<tool_call>{nonsense</tool_call> x", "<tool_call>{nonsense</tool_call> x", []],
  ["hermes", '<tool_call>{"name":"other"}</tool_call>', '<tool_call>{"name":"other"}</tool_call>', []],
  [
    "hermes",
    '<tool_call>{"name":"time","arguments":[1]}</tool_call>',
    '<tool_call>{"name":"time","arguments":[1]}</tool_call>',
    [],
  ],
  ["hermes", "a <tool_call> b", "a <tool_call> b", []],
  ["hermes", `a <tool_call><tool_call>${call}</tool_call>`, "a <tool_call>", [weather]],
  ["hermes", "ends in spaces  \n", "ends in spaces  \n", []],

  ["llama3", "A tale { }", "A tale { }", []],
  [
    "llama3",
    '{"name": "weather", "parameters": {"city": 1}}',
    "",
    [{ name: "weather", arguments: '{"city": 1}' }],
  ],
  ["llama3", '<|python_tag|>{"name": "time", "parameters": {}}', "", [time]],
  ["llama3", ' {"name":"time","parameters":{}}; {"name":"time","parameters":{}}', "", [time, time]],
  ["llama3", '{"name":"time","parameters":{}}\nThat is all.', "That is all.", [time]],
  ["llama3", '{"name": "weather"', '{"name": "weather"', []],
  ["llama3", '{"a": 1}', '{"a": 1}', []],
  ["llama3", '<|python_tag|>print("time")', '<|python_tag|>print("time")', []],

  [
    "mistral",
    `[TOOL_CALLS] [${call}, {"name": "time", "arguments": {}, "id": "abcdefghi"}]`,
    "",
    [weather, time],
  ],
  ["mistral", `Well. [TOOL_CALLS]${call}`, "Well.", [weather]],
  ["mistral", "See [TOOL_CALLS] in the guide", "See [TOOL_CALLS] in the guide", []],

  ["mistral-named", `[TOOL_CALLS]weather[ARGS]${given}[TOOL_CALLS]time[ARGS]{}`, "", [weather, time]],
  ["mistral-named", `Ah.[TOOL_CALLS]weather[CALL_ID]abcdefghi[ARGS]${given}`, "Ah.", [weather]],
  ["mistral-named", `[TOOL_CALLS]weather${given}`, "", [weather]],
  ["mistral-named", `[TOOL_CALLS][${call}]`, "", [weather]],
  ["mistral-named", "[TOOL_CALLS]other[ARGS]{}", "[TOOL_CALLS]other[ARGS]{}", []],

  [
    "function-tag",
    `<function=weather>${given}</function>\n<function=time>{}</function>`,
    "",
    [weather, time],
  ],
  ["function-tag", "<function=other>{}</function>", "<function=other>{}</function>", []],

  [
    "pythonic",
    `[weather(city='U"lm\\n', days=[1, -2.5e3, 1_000], x=True, y=None, z={'a': (False,)}), time()]`,
    "",
    [
      {
        name: "weather",
        arguments:
          '{"city": "U\\"lm\\n", "days": [1, -2.5e3, 1000], "x": true, "y": null, "z": {"a": [false]}}',
      },
      time,
    ],
  ],
  ["pythonic", "<|python_start|>[time()]<|python_end|>", "", [time]],
  ["pythonic", '[time(**{"a": 1, "b": "\\u00e9"})]', "", [{ name: "time", arguments: '{"a": 1, "b": "é"}' }]],
  ["pythonic", "[time(), other()]", "other()]", [time]],
  ["pythonic", "[1] says so", "[1] says so", []],
  ["pythonic", "[time(x=y)]", "[time(x=y)]", []],
  ["pythonic", "time()", "time()", []],

  [
    "tool-code",
    "Sure.\n```tool_code\nweather(city='Ulm')\n```",
    "Sure.",
    [{ name: "weather", arguments: '{"city": "Ulm"}' }],
  ],
  ["tool-code", "```tool_code\n[time(), time()]\n```", "", [time, time]],
  ["tool-code", "```python\ntime()\n```", "```python\ntime()\n```", []],
  [
    "lfm2",
    '<|tool_call_start|>[weather(city="Ulm")]<|tool_call_end|>Wait.',
    "Wait.",
    [{ name: "weather", arguments: '{"city": "Ulm"}' }],
  ],
  // Some templates ask for JSON between the same marks.
  ["lfm2", `<|tool_call_start|>[${call}, {"name": "time"}]<|tool_call_end|>`, "", [weather, time]],
  ["lfm2", `<|tool_call_start|>${call}<|tool_call_end|>Wait.`, "Wait.", [weather]],
  ["pythonic", `[${call}]`, "", [weather]],
  ["pythonic", '[{"a": 1}] is a list', '[{"a": 1}] is a list', []],

  [
    "minicpm",
    'So.\n<|tool_call_start|>\n```python\nweather(city="Ulm",days=2)\ntime()\n```\n<|tool_call_end|>\nWait.',
    "So.Wait.",
    [{ name: "weather", arguments: '{"city": "Ulm", "days": 2}' }, time],
  ],
  ["minicpm", "<|tool_call_start|>time()<|tool_call_end|>", "", [time]],
  [
    "minicpm",
    "<|tool_call_start|>\n```python\nother()\n```\n<|tool_call_end|>",
    "<|tool_call_start|>\n```python\nother()\n```\n<|tool_call_end|>",
    [],
  ],

  [
    "function-gemma",
    '<start_function_call>call:weather{city:<escape>Ulm, "{"<escape>,days:[1,2],at:{x:true}}<end_function_call>' +
      "<start_function_call>call:time{}<end_function_call>",
    "",
    [{ name: "weather", arguments: '{"city": "Ulm, \\"{\\"", "days": [1, 2], "at": {"x": true}}' }, time],
  ],
  ["function-gemma", "<start_function_call>call:time{x:", "<start_function_call>call:time{x:", []],
];

describe("a parser of tool calls", () => {
  it.each(answers)(
    "finds what is in an answer of %s, however it is cut: %j",
    (name, text, expected, calls) => {
      fc.assert(
        fc.property(fc.array(fc.nat(200), { maxLength: 8 }), (cuts) => {
          expect(parse(name, text, cuts)).toEqual({ text: expected, calls });
        }),
      );
    },
  );

  it("knows a case of every syntax", () => {
    expect(new Set(answers.map(([name]) => name))).toEqual(new Set(toolSyntaxes.map(({ name }) => name)));
  });

  it("finds the same in any text, however it is cut", () => {
    const part = fc.constantFrom(
      ...[
        "<tool_call>",
        "</tool_call>",
        "[TOOL_CALLS]",
        "[ARGS]",
        "```tool_code",
        "```",
        "<escape>",
        "call:",
      ],
      ...[
        "<start_function_call>",
        "<function=",
        ">",
        call,
        "weather",
        "time",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
      ],
      ...[
        "city=",
        "'Ulm'",
        '"',
        "\\",
        "1",
        ",",
        ";",
        " ",
        "\n",
        "a",
        "é",
        '{"name": "time", "arguments": {',
        "😀",
      ],
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...toolSyntaxes.map(({ name }) => name)),
        fc.array(part, { maxLength: 12 }).map((parts) => parts.join("")),
        fc.array(fc.nat(400), { maxLength: 12 }),
        (name, text, cuts) => {
          expect(parse(name, text, cuts)).toEqual(parse(name, text));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it("holds nothing back that is certain", () => {
    const parser = createToolCallParser(syntaxOf("hermes"), { names });
    const push = (piece: string): AnswerPart[] => parser.push(piece);
    expect(push("Once upon")).toEqual([{ kind: "text", text: "Once upon" }]);
    expect(push(" a time <")).toEqual([{ kind: "text", text: " a time" }]);
    expect(push("b>")).toEqual([{ kind: "text", text: " <b>" }]);
    expect(push('<tool_call>{"name": "time", "arguments": ')).toEqual([]);
    expect(push('{"a"')).toEqual([
      { kind: "callBegin", name: "time" },
      { kind: "arguments", text: '{"a"' },
    ]);
    expect(push(": [1,")).toEqual([{ kind: "arguments", text: ": [1," }]);
    expect(push("2]}")).toEqual([{ kind: "arguments", text: "2]}" }]);
    expect(push("}")).toEqual([{ kind: "callEnd" }]);
  });

  it("shows no part of a closing mark that the end of the answer cuts", () => {
    const cases = answers.filter(
      ([name, text, , calls]) =>
        calls.length > 0 && syntaxOf(name).closing !== "" && text.endsWith(syntaxOf(name).closing),
    );
    expect(new Set(cases.map(([name]) => name)).size).toBeGreaterThanOrEqual(4);
    for (const [name, text, expected, calls] of cases) {
      for (let cut = 1; cut < syntaxOf(name).closing.length; cut += 1) {
        expect(parse(name, text.slice(0, -cut))).toEqual({ text: expected, calls });
      }
    }
  });

  it("drops everything after the maximum of calls", () => {
    const text = `<tool_call>${call}</tool_call><tool_call>${call}</tool_call> done`;
    expect(parse("hermes", text, [], 1)).toEqual({ text: "", calls: [weather] });
    expect(parse("hermes", text, [], 2)).toEqual({ text: "", calls: [weather, weather] });
  });

  it("survives brackets without end", () => {
    const text = `[time(x=${"[".repeat(100_000)}`;
    expect(parse("pythonic", text)).toEqual({ text, calls: [] });
  });

  it("reads long arguments in time", () => {
    const parser = createToolCallParser(syntaxOf("hermes"), { names });
    parser.push('<tool_call>{"name": "time", "arguments": {"text": "');
    const begin = performance.now();
    for (let count = 0; count < 20_000; count += 1) parser.push("word ");
    expect(performance.now() - begin).toBeLessThan(5000);
  });
});
