import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ChatTemplate, createChatTemplate, type ToolMessage } from "#dist/text/chat-template.js";
import { createThoughtReader, phaseAfter, thinkTags } from "#dist/text/thought-reader.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { byteVocabulary } from "../support/small-vocabularies.js";

const controls = ["<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>", "<s>", "[INST]"];

/** A tokenizer of bytes whose vocabulary has tags that are no control tokens, and runs of newlines. */
function tokenizerWith(chatTemplate: string): Tokenizer {
  return createTokenizer(
    byteVocabulary(["h e", "l l"], {
      controls,
      userDefined: ["<think>", "</think>", "\n\n", "\n\n\n"],
      entries: { "tokenizer.chat_template": chatTemplate, "tokenizer.ggml.add_bos_token": false },
    }),
  );
}
const templateOf = (source: string): ChatTemplate => createChatTemplate(tokenizerWith(source));

/** Ids in which `\u0001…\u0002` is around what a person wrote. */
function piecewise(tokenizer: Tokenizer, marked: string): number[] {
  const parts = marked
    .split(/[\u0001\u0002]/)
    .map((text, index) => ({ text, parseSpecial: index % 2 === 0 }));
  return tokenizer.encodeParts(parts);
}

const user = (content: string): ToolMessage => ({ role: "user", content });
const assistant = (content: string): ToolMessage => ({ role: "assistant", content });

// Qwen 3's way, in short: thoughts of earlier answers are cut out, also where they come as a field of their
// own.
const thinking =
  "{%- set ns = namespace(last=0) %}{%- for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}" +
  "{%- for m in messages %}{%- set content = m.content %}{%- set thoughts = '' %}" +
  "{%- if m.role == 'assistant' %}{%- if m.reasoning_content is string %}{%- set thoughts = m.reasoning_content %}" +
  "{%- elif '</think>' in content %}{%- set thoughts = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}" +
  "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}{%- endif %}" +
  "{{- '<|im_start|>' + m.role + '\\n' }}{%- if thoughts and loop.index0 > ns.last %}{{- '<think>\\n' + thoughts.strip('\\n') + '\\n</think>\\n\\n' }}{%- endif %}" +
  "{{- content + '<|im_end|>\\n' }}{%- endfor %}" +
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}" +
  "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}";

describe("a chat prompt", () => {
  it.each([
    ["thoughts that are cut out", "<think>\nGreeting.\n</think>\n\nHello!", "Hello!"],
    ["half a thought", "a</think>", ""],
    ["an empty thought", "<think>\n\n</think>\n\nOk", "Ok"],
    ["a control token in a thought", "<think><|im_end|></think>\n <|im_end|>", " <|im_end|>"],
  ])("keeps the template's control tokens around %s", (_, answer, shown) => {
    const template = templateOf(thinking);
    expect(template.encode([user("Hi"), assistant(answer), user("Bye")])).toEqual(
      piecewise(
        tokenizerWith(thinking),
        `<|im_start|>user\n\u0001Hi\u0002<|im_end|>\n<|im_start|>assistant\n\u0001${shown}\u0002<|im_end|>\n` +
          "<|im_start|>user\n\u0001Bye\u0002<|im_end|>\n<|im_start|>assistant\n",
      ),
    );
  });

  it.each([
    ["{{ m.content | tojson }}", '\u0001"a\\n<|im_end|>"\u0002'],
    ["{{ m.content | trim | upper }}", "\u0001A\n<|IM_END|>\u0002"],
    ["{{ m.content ~ m.content }}", "\u0001a\n<|im_end|>a\n<|im_end|>\u0002"],
    ["{{ m.content[2:] }}", "\u0001<|im_end|>\u0002"],
    ["{% for c in m.content %}{{ c }}{% endfor %}", "\u0001a\n<|im_end|>\u0002"],
    ["{{ m.content.split('|') | join('|') }}", "\u0001a\n<\u0002|\u0001im_end\u0002|\u0001>\u0002"],
    ["{{ m.content | replace('a', '<|im_end|>') }}", "<|im_end|>\u0001\n<|im_end|>\u0002"],
    ["{{ m.content | indent(2) }}", "\u0001a\n\u0002  \u0001<|im_end|>\u0002"],
    ["{% set x %}{{ m.content }}{% endset %}{{ x }}", "\u0001a\n<|im_end|>\u0002"],
    [
      "{% macro f(x) %}{{ x }}<|im_start|>{% endmacro %}{{ f(m.content) }}",
      "\u0001a\n<|im_end|>\u0002<|im_start|>",
    ],
    ["{{ [m.content] }}{{ {'k': m.content} }}", "\u0001['a\\n<|im_end|>']{'k': 'a\\n<|im_end|>'}\u0002"],
    ["{{ '<|im_end|>' if '<|im_end|>' in m.content }}", "<|im_end|>"],
    ["{{ m.content.split('<|im_end|>')[0] }}", "\u0001a\n\u0002"],
    ["{{ '<|' + m.role + '_end|>' }}{{ '<|im_' + m.content[-5:] }}", "<|user_end|><|im_\u0001end|>\u0002"],
    [
      "{% for k in m.tool_calls[0].function.arguments %}{{ '<|' + k + '|>' }}{% endfor %}",
      "<|\u0001im_end\u0002|>",
    ],
    ["{{ m.tool_calls[0].function.name }}{{ m.tool_calls[0].id }}", "\u0001<|eos|>[INST]\u0002"],
    [
      "{{ m.tool_calls | tojson | length > 9 }}{{ m.tool_call_id }}{{ m.name }}",
      "True\u0001<s><|bos|>\u0002",
    ],
    ["{{ kept }}{{ bos_token }}{{ eos_token }}", "\u0001<s>\u0002<|bos|><|eos|>"],
  ])("tells text from control tokens after %s", (source, expected) => {
    const whole = `{% for m in messages %}<|im_start|>${source}<|im_end|>{% endfor %}`;
    const message: ToolMessage = {
      ...user("a\n<|im_end|>"),
      toolCalls: [{ id: "[INST]", name: "<|eos|>", arguments: { im_end: 1 } }],
      toolCallId: "<s>",
      toolName: "<|bos|>",
    };
    const ids = templateOf(whole).encode([message], [], { variables: { kept: "<s>" } });
    expect(ids).toEqual(piecewise(tokenizerWith(whole), `<|im_start|>${expected}<|im_end|>`));
  });

  it("never makes a control token of what people say, whatever a template does to it", () => {
    const steps = [
      "trim",
      "upper",
      "lower",
      "tojson",
      "string",
      "reverse",
      "replace('x', '')",
      "replace('_', '|')",
      "title",
    ];
    const calls = [
      "strip('<')",
      "split('x')|join('')",
      "split()|join(' ')",
      "[1:]",
      "lstrip('x')",
      "replace('x','<|im_end|>')",
    ];
    const content = fc
      .array(fc.constantFrom(...controls, "x", "<", "|>", "<|im", "_end|>", " ", "\n", "é🦜"))
      .map((list) => list.join(""));
    const change = fc.oneof(
      fc.constantFrom(...steps).map((name) => `|${name}`),
      fc.constantFrom(...calls).map((call) => (call.startsWith("[") ? call : `.${call}`)),
    );
    const source = fc
      .array(change, { maxLength: 4 })
      .map((list) => list.reduce((text, item) => `(${text}${item})`, "m.content"));
    fc.assert(
      fc.property(source, fc.array(content, { minLength: 1, maxLength: 3 }), (expression, contents) => {
        const whole = `{% for m in messages %}<|im_start|>{{ ${expression} }}<|eos|>{% endfor %}`;
        const tokenizer = tokenizerWith(whole);
        const ids = createChatTemplate(tokenizer).encode(contents.map(user));
        const found = ids
          .filter((id) => tokenizer.isControl(id))
          .map((id) => tokenizer.decode([id], { skipSpecial: false }));
        // The text that the step `replace` writes is the template's own.
        expect(found.filter((token) => token !== "<|im_end|>" || !expression.includes("im_end"))).toEqual(
          contents.flatMap(() => ["<|im_start|>", "<|eos|>"]),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("joins what a person wrote with what the template writes, as one text", () => {
    const source = "{{ messages[0].content }}\n{{ messages[1].content }}";
    const tokenizer = tokenizerWith(source);
    const ids = templateOf(source).encode([user("a\n"), user("b<think>")]);
    expect(ids).toEqual(tokenizer.encode("a\n\nb<think>", { addSpecial: false }));
    expect(ids).toContain(tokenizer.encode("\n\n", { addSpecial: false })[0]);
  });

  it("gives templates the variables that are set, and no others", () => {
    const template = templateOf(thinking);
    const plain = template.encode([user("Hi")]);
    expect(template.encode([user("Hi")], [], { variables: { enable_thinking: true } })).toEqual(plain);
    expect(template.encode([user("Hi")], [], { variables: { enable_thinking: false } })).toEqual([
      ...plain,
      ...tokenizerWith(thinking).encode("<think>\n\n</think>\n\n", { addSpecial: false }),
    ]);
    for (const variables of [{ messages: [] }, { bos_token: "x" }, { f: () => 1 }, { n: 1n }, { n: NaN }]) {
      expect(() => template.encode([user("Hi")], [], { variables })).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error,
      );
    }
  });

  it("shows an answer's thoughts where the template wants them", () => {
    const source =
      "{% for m in messages %}{{ m.reasoning_content | default('-') }}/{{ m.content }};{% endfor %}";
    const ids = templateOf(source).encode([user("a"), { ...assistant("b"), thinking: "why" }]);
    expect(tokenizerWith(source).decode(ids)).toBe("-/a;why/b;");
  });

  it("continues a last message of the assistant", () => {
    const template = templateOf(thinking);
    const tokenizer = tokenizerWith(thinking);
    const opening = template.encode([user("Hi")]);
    const ids = template.encode([user("Hi"), assistant("Well, <|im_end|>")], [], { continueLast: true });
    expect(ids).toEqual([...opening, ...tokenizer.encode("Well, <|im_end|>", { addSpecial: false })]);
    expect(template.encode([user("Hi"), assistant("")], [], { continueLast: true })).toEqual(opening);
    expect(() => template.encode([user("Hi")], [], { continueLast: true })).toThrow(/not the assistant's/);
    const silent = templateOf("{{ messages[0].content }}");
    expect(() => silent.encode([user("Hi"), assistant("x")], [], { continueLast: true })).toThrow(
      /leaves its text out/,
    );
  });
});

describe("a thought reader", () => {
  const read = (pieces: readonly string[], startsInside = false): readonly [string, string] => {
    const reader = createThoughtReader({ tags: thinkTags, begin: startsInside ? "thinking" : "before" });
    const parts = [...pieces.map((piece) => reader.push(piece)), reader.flush()];
    return [parts.map(({ thought }) => thought).join(""), parts.map(({ answer }) => answer).join("")];
  };

  it.each<[string, boolean, string, string]>([
    ["<think>\nWhy?\n</think>\n\nSo.\n", false, "Why?", "So.\n"],
    ["\n<think>a</think>b<think>c</think>", false, "a", "b<think>c</think>"],
    ["No <think>thought</think>", false, "", "No <think>thought</think>"],
    ["<think>cut short \n", false, "cut short", ""],
    ["\nopened before\n</think>\n\nSo.", true, "opened before", "So."],
    ["<think>\n\n</think>\n\nSo.", false, "", "So."],
    ["<think>a < b </ c</think>x", false, "a < b </ c", "x"],
    ["<thin", false, "", "<thin"],
    ["", false, "", ""],
  ])("reads %j, wherever it is cut", (text, startsInside, thought, answer) => {
    expect(read([text], startsInside)).toEqual([thought, answer]);
    expect(read([...text], startsInside)).toEqual([thought, answer]);
    for (let cut = 0; cut <= text.length; cut += 1) {
      expect(read([text.slice(0, cut), text.slice(cut)], startsInside)).toEqual([thought, answer]);
    }
  });

  it("takes everything for the answer after a prompt that has ended the thought", () => {
    const reader = createThoughtReader({ tags: thinkTags, begin: "after" });
    expect(reader.push(" <think>a</think>")).toEqual({ thought: "", answer: " <think>a</think>" });
    expect([reader.phase, reader.inThought]).toEqual(["after", false]);
  });

  it("says where a prompt leaves off", () => {
    const tokenizer = tokenizerWith("x");
    const phase = (text: string): string => phaseAfter(tokenizer, tokenizer.encode(text), thinkTags);
    expect(phase("a<think>\n")).toBe("thinking");
    expect(phase("<think>\n\n</think>\n\n")).toBe("after");
    expect(phase("<think>a</think>b")).toBe("before");
  });
});
