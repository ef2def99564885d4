import { expect, test } from "vitest";
import { createChatTemplate, type ToolMessage } from "#dist/text/chat-template.js";
import { createTokenizer } from "#dist/text/tokenizer.js";
import { byteVocabulary } from "../support/small-vocabularies.js";

/** The text of a prompt by a template. */
function render(source: string, messages: readonly ToolMessage[]): string {
  const entries = { "tokenizer.chat_template": source, "tokenizer.ggml.add_bos_token": false };
  const tokenizer = createTokenizer(byteVocabulary(["h e"], { entries }));
  return tokenizer.decode(createChatTemplate(tokenizer).encode(messages), { skipSpecial: false });
}

const user: ToolMessage = { role: "user", content: "?" };
const ids =
  "{% for message in messages %}{% for tool_call in message.tool_calls or [] %}" +
  "{% if tool_call.id is not defined or tool_call.id | length != 9 %}{{ raise_exception('no id') }}{% endif %}" +
  "<{{ tool_call.function.name }} {{ tool_call.id }}>{% endfor %}" +
  "{% if message.role == 'tool' %}{{ message.content }}={{ message.tool_call_id }};{% endif %}{% endfor %}";

test("calls and results without ids get some where a template wants them", () => {
  const calls = (...names: readonly string[]): ToolMessage => ({
    role: "assistant",
    content: "",
    toolCalls: names.map((name) => ({ name, arguments: {} })),
  });
  const result = (content: string, toolName?: string): ToolMessage => ({ role: "tool", content, toolName });
  expect(
    render(ids, [
      ...[user, calls("weather", "time"), result("late", "time"), result("rain", "weather")],
      ...[user, calls("time", "time"), result("one", "time"), result("two")],
    ]),
  ).toBe(
    "<weather 0000call1><time 0000call2>late=0000call2;rain=0000call1;" +
      "<time 0000call3><time 0000call4>one=0000call3;two=0000call4;",
  );
});

test("calls that have ids keep them", () => {
  const toolCalls = [{ id: "abc123def", name: "time", arguments: {} }];
  const messages: ToolMessage[] = [
    ...[user, { role: "assistant", content: "", toolCalls } as const],
    { role: "tool", content: "late", toolCallId: "abc123def" },
  ];
  expect(render(ids, messages)).toBe("<time abc123def>late=abc123def;");
});

test("calls without ids get some where a template adds to them", () => {
  const source =
    "{% for m in messages %}{% for call in m.tool_calls or [] %}" +
    "{{ dict(call.function.arguments, id='#' + call.id) | tojson }}{% endfor %}" +
    "{% if m.role == 'tool' %}{{ m.content + '=' + m.tool_call_id }}{% endif %}{% endfor %}";
  const toolCalls = [{ name: "time", arguments: { city: "Ulm" } }];
  const messages: ToolMessage[] = [
    ...[user, { role: "assistant", content: "", toolCalls } as const],
    { role: "tool", content: "late", toolName: "time" },
  ];
  expect(render(source, messages)).toBe('{"city": "Ulm", "id": "#call1"}late=call1');
});

test("a template that shows calls without ids does not get any", () => {
  const source =
    "{% for m in messages %}{% for call in m.tool_calls or [] %}" +
    "{{ call.function.arguments | tojson }}{{ call.id | default('none') }}{% endfor %}{% endfor %}";
  const toolCalls = [{ name: "time", arguments: { city: "Ulm" } }];
  expect(render(source, [user, { role: "assistant", content: "", toolCalls }])).toBe('{"city": "Ulm"}none');
});

const syntaxOf = (source: string): string | undefined => {
  const entries = { "tokenizer.chat_template": source, "tokenizer.ggml.add_bos_token": false };
  return createChatTemplate(createTokenizer(byteVocabulary(["h e"], { entries }))).toolSyntax?.name;
};

test("a template that wants descriptions of tools is one with tools", () => {
  const source =
    "<tool_call>{% for tool in tools %}{{ tool.function.name + ': ' + tool.function.description }}{% endfor %}";
  expect(syntaxOf(source)).toBe("hermes");
});

test("parameters in another form of calls than Llama's are not taken for it", () => {
  const tools = "{{ tools | tojson }}";
  expect(syntaxOf(`${tools} Write {"name": its name, "parameters": its arguments}.`)).toBe("llama3");
  expect(syntaxOf(`${tools} Write [{"tool_name": its name, "parameters": its arguments}].`)).toBeUndefined();
});

test("a template formats the values of arguments", () => {
  const source =
    "{% for m in messages %}{% for call in m.tool_calls or [] %}{% for key in call.function.arguments %}" +
    "{{ '%s=%s;' | format(key, call.function.arguments[key]) }}{% endfor %}{% endfor %}{% endfor %}" +
    "{{ '%d%% of %(no)s' | replace('%(no)s', 'all') | format(12.7) }} {{ '%.1f|%(a)s' | format(a='x') if false }}" +
    "{{ '%(a)s%(a)s %.2f' | replace('%.2f', '') | format(a='x') }}";
  const toolCalls = [{ name: "time", arguments: { city: "Ulm %s", days: 2, dry: true, at: null } }];
  expect(render(source, [user, { role: "assistant", content: "", toolCalls }])).toBe(
    "city=Ulm %s;days=2;dry=True;at=None;12% of all xx ",
  );
});

test.each([
  ["'%s'", "not enough arguments"],
  ["'%d'", "a number is required", "'x'"],
  ["'%5s'", "takes %s, %d", "'x'"],
  ["'none'", "not all arguments", "'x'"],
])("format refuses %s: %s", (text, why, given = "") => {
  expect(() => render(`{{ ${text} | format(${given}) }}`, [user])).toThrow(why);
});

test.each(["reasoning_content", "thinking"])("a template finds thoughts of earlier answers as %s", (name) => {
  const source = `{% for m in messages %}{{ m.${name} | default('') }}/{{ m.content }};{% endfor %}`;
  const answer: ToolMessage = { role: "assistant", content: "Hi", thinking: "Greet." };
  expect(render(source, [user, answer])).toBe("/?;Greet./Hi;");
});
