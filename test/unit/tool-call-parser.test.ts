import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createToolCallParser, type ParsedPart } from "#dist/server/requests/tool-call-parser.js";
import type { ToolSyntax } from "#dist/text/chat-template.js";

const names = ["weather", "time"];

/** Parses a text in pieces that are cut at these offsets. */
function parse(syntax: ToolSyntax, text: string, cuts: readonly number[] = []): ParsedPart {
  const parser = createToolCallParser(syntax, names);
  const offsets = [...cuts.map((cut) => cut % (text.length + 1)), 0, text.length].sort((a, b) => a - b);
  const pieces = offsets.slice(1).map((end, index) => text.slice(offsets[index], end));
  const parts = [...pieces.map((piece) => parser.push(piece)), parser.end()];
  return {
    text: parts.map((part) => part.text).join(""),
    calls: parts.flatMap((part) => part.calls),
  };
}

const call = '{"name": "weather", "arguments": {"city": "Ulm", "days": [1, 2]}}';
const weather = { name: "weather", arguments: { city: "Ulm", days: [1, 2] } };

describe("a parser of tagged calls", () => {
  it.each([
    ["no call, just < and <tool", "no call, just < and <tool", []],
    [`<tool_call>\n${call}\n</tool_call>`, "", [weather]],
    [`Let me see.\n\n<tool_call>${call}</tool_call>\n`, "Let me see.", [weather]],
    [
      `<tool_call>${call}</tool_call>\n<tool_call>{"name":"time"}</tool_call> and done`,
      "and done",
      [weather, { name: "time", arguments: {} }],
    ],
    [
      `<tool_call>{"name":"weather","arguments":"{\\"city\\":\\"Ulm\\"}"}</tool_call>`,
      "",
      [{ name: "weather", arguments: { city: "Ulm" } }],
    ],
    // An answer that ends without the closing tag.
    [`<tool_call>${call}`, "", [weather]],
    ["<tool_call>{nonsense</tool_call> x", "<tool_call>{nonsense</tool_call> x", []],
    ['<tool_call>{"name":"other"}</tool_call>', '<tool_call>{"name":"other"}</tool_call>', []],
    [
      '<tool_call>{"name":"time","arguments":[1]}</tool_call>',
      '<tool_call>{"name":"time","arguments":[1]}</tool_call>',
      [],
    ],
    ["a <tool_call> b", "a<tool_call> b", []],
    ["ends in spaces  \n", "ends in spaces  \n", []],
  ])("finds what is in %j, however it is cut", (text, expected, calls) => {
    fc.assert(
      fc.property(fc.array(fc.nat(200), { maxLength: 8 }), (cuts) => {
        expect(parse("tagged", text, cuts)).toEqual({ text: expected, calls });
      }),
    );
  });

  it("holds nothing back that is certain", () => {
    const parser = createToolCallParser("tagged", names);
    expect(parser.push("Once upon").text).toBe("Once upon");
    expect(parser.push(" a time <").text).toBe(" a time");
    expect(parser.push("b>").text).toBe(" <b>");
  });
});

describe("a parser of calls that are the whole answer", () => {
  it.each([
    ["A tale { }", "A tale { }", []],
    [
      '{"name": "weather", "parameters": {"city": "Ulm"}}',
      "",
      [{ name: "weather", arguments: { city: "Ulm" } }],
    ],
    [
      ' {"name":"time","parameters":{}};{"name":"time","parameters":{}}',
      "",
      [
        { name: "time", arguments: {} },
        { name: "time", arguments: {} },
      ],
    ],
    ['{"name": "weather"', '{"name": "weather"', []],
    ['{"a": 1}', '{"a": 1}', []],
  ])("finds what is in %j, however it is cut", (text, expected, calls) => {
    fc.assert(
      fc.property(fc.array(fc.nat(200), { maxLength: 8 }), (cuts) => {
        expect(parse("json", text, cuts)).toEqual({ text: expected, calls });
      }),
    );
  });
});
