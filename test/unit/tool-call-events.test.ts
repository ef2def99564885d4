import fc from "fast-check";
import { expect, it } from "vitest";
import type { GeneratedPiece } from "#dist/generation/generated-piece.js";
import { createContent } from "#dist/server/anthropic/content.js";
import { createOutput } from "#dist/server/openai/responses/output.js";
import { type ChoiceContent, createChoice, joinContent } from "#dist/server/requests/choice.js";
import { createToolCallParser } from "#dist/server/requests/tool-call-parser.js";
import { toolSyntaxes } from "#dist/text/tool-syntax.js";

const call = '{"name": "time", "arguments": {"zone": "UTC", "at": [1, 2]}}';
const parts = [
  ...[
    `<tool_call>${call}</tool_call>`,
    `[TOOL_CALLS][${call}, ${call}]`,
    '[TOOL_CALLS]time[ARGS]{"a": "b"}',
    call,
  ],
  ...[
    '<function=time>{"a": 1}</function>',
    "```tool_code\ntime(a=1)\n```",
    "[time(), time(a='b')]",
    "text",
    " ",
  ],
  ...[
    "<|tool_call_start|>[time()]<|tool_call_end|>",
    "<start_function_call>call:time{a:1}<end_function_call>",
  ],
  '<tool_call>{"name": "time", "arguments": {"zone": "U',
];

/** The contents of an answer in pieces that are cut at these offsets, and how it ends. */
function contentsOf(
  syntax: (typeof toolSyntaxes)[number],
  text: string,
  cuts: readonly number[],
): ChoiceContent[] {
  const choice = createChoice(createToolCallParser(syntax, { names: ["time"] }));
  const offsets = [...cuts.map((cut) => cut % (text.length + 1)), 0, text.length].sort((a, b) => a - b);
  const pieces = offsets.slice(1).map((end, index) => text.slice(offsets[index], end));
  return pieces.flatMap((piece, index) => {
    const isLast = index === pieces.length - 1;
    return choice.push({ text: piece, ...(isLast && { finishReason: "stop" }) } as GeneratedPiece);
  });
}

it("streamed events of all protocols add up to the whole answer, however it is cut", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...toolSyntaxes),
      fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 5 }).map((list) => list.join("")),
      fc.array(fc.nat(500), { maxLength: 20 }),
      (syntax, text, cuts) => {
        const whole = joinContent(contentsOf(syntax, text, []));
        const contents = contentsOf(syntax, text, cuts);
        const joined = joinContent(contents);
        expect(joined.text).toBe(whole.text);
        const calls = whole.calls.map(({ index, name, whole: given }) => ({ index, name, given }));
        expect(joined.calls.map(({ index, name, whole: given }) => ({ index, name, given }))).toEqual(calls);

        const output = createOutput({ asSummary: false });
        const deltas = new Map<unknown, string>();
        for (const event of [...contents.flatMap(output.push), ...output.end("completed")]) {
          const { type, item_id: id, delta } = event;
          if (type.endsWith(".delta")) deltas.set(id, (deltas.get(id) ?? "") + String(delta));
        }
        const items = output.items.filter(({ type }) => type === "function_call");
        expect(items.map(({ arguments: given }) => given)).toEqual(calls.map(({ given }) => given));
        expect(items.map(({ id }) => deltas.get(id))).toEqual(calls.map(({ given }) => given));

        const content = createContent();
        const json = new Map<unknown, string>();
        const events = [...contents.flatMap(content.push), ...content.end()];
        for (const { index, delta } of events as { index?: number; delta?: { partial_json?: string } }[]) {
          if (delta?.partial_json !== undefined)
            json.set(index, (json.get(index) ?? "") + delta.partial_json);
        }
        expect([...json.values()]).toEqual(calls.map(({ given }) => given));
        expect(content.blocks.filter((block) => "input" in block)).toHaveLength(calls.length);
      },
    ),
    { numRuns: 1000 },
  );
});
