import { readFileSync } from "node:fs";
import { Template } from "@huggingface/jinja";
import { describe, expect, it } from "vitest";
import { createBoundedTemplate } from "#dist/text/bounded-template.js";

const messages = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello" },
];

const rendered = (source: string, items: Record<string, unknown> = { messages }): string =>
  createBoundedTemplate(source)
    .render(items)
    .map(({ text }) => text)
    .join("");

describe("a bounded template", () => {
  it.each([
    "{% for message in messages %}{{ loop.index }}{{ message['role'] | capitalize }}: {{ message.content | trim }}\n{% endfor %}",
    "{%- set ns = namespace(found=false) -%}{% for m in messages[::-1] %}{% if not ns.found and m.role == 'user' %}{% set ns.found = true %}{{ m.content }}{% endif %}{% endfor %}",
    "{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(5, 1, -2) %}{{ i }}{% endfor %}{{ range(2, 4) | list | length }}",
    "{{ messages | tojson }}{{ messages[1]['content'].upper() }}{{ 'x' if none is none }}{{ 'y' if True }}",
    "{% macro greet(name) %}[{{ name }}]{% endmacro %}{{ greet('x') }}{{ strftime_now('%Y') }}",
  ])("writes what the library alone writes: %s", (source) => {
    expect(rendered(source)).toBe(new Template(source).render({ messages }));
  });

  // Made by test/golden/templates/make-cases.py.
  const golden = JSON.parse(
    readFileSync(new URL("../golden/templates/cases.json", import.meta.url), "utf8"),
  ) as { items: Record<string, unknown>; cases: { source: string; text: string }[] };
  it.each(golden.cases.map(({ source, text }) => [source, text] as const))(
    "writes what Jinja2 writes: %s",
    (source, text) => {
      expect(rendered(source, golden.items)).toBe(text);
    },
  );

  it("takes a conversation as long as a context", () => {
    const long = Array.from({ length: 3000 }, (_, index) => ({
      role: "user",
      content: `${index} `.repeat(20),
    }));
    const source =
      "{% for message in messages %}{% if messages[loop.index0 - 1].role == 'x' or message == messages[-1] %}!{% endif %}{{ message.content }}{% endfor %}";
    expect(rendered(source, { messages: long })).toContain("2999 ");
  });

  it.each([
    ["{% for a in range(1000000000) %}{% endfor %}", "longer lists"],
    ["{% for a in range(0, 10, 0) %}{% endfor %}", "zero"],
    ["{% for a in range(0, 1, 0.0000000001) %}{% endfor %}", "longer lists"],
    [
      "{% set r = range(50000) %}{% for a in r %}{% for b in r %}{% for c in r %}{% endfor %}{% endfor %}{% endfor %}",
      "steps",
    ],
    ["{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}", "steps"],
    [
      "{% set ns = namespace(s='xxxxxxxx') %}{% for a in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
      "more than",
    ],
    [
      "{% set ns = namespace(a=[1]) %}{% for a in range(60) %}{% set ns.a = ns.a + ns.a %}{% endfor %}{{ ns.a | length }}",
      "longer lists",
    ],
    ["{% macro f(f, x) %}{{ f(f, x) }}{{ f(f, x) }}{% endmacro %}{{ f(f, 1) }}", "call stack"],
    [
      "{% set ns = namespace(s='x' | replace('x', 'abcdefgh')) %}{% for a in range(99999) %}{% for b in range(99) %}{% set t = messages | tojson | upper | replace('A', 'B') %}{% endfor %}{% endfor %}",
      "steps",
    ],
  ])(
    "ends, whatever is in it: %s",
    (source, why) => {
      expect(() => rendered(source)).toThrow(why);
    },
    20_000,
  );
});
