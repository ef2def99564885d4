import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Chat } from "#dist/generation/chat.js";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { createChatTemplate } from "#dist/text/chat-template.js";
import type { Tokenizer } from "#dist/text/tokenizer.js";
import { starterPath } from "../support/golden-path.js";

let model: LanguageModel;
let modelTokenizer: Tokenizer;
beforeAll(async () => {
  model = await loadModel(starterPath, { threads: 2 });
  modelTokenizer = internalsOf(model).tokenizer;
});
afterAll(() => model.dispose());

const greedy = { temperature: 0, maxTokens: 16 } as const;

async function textOf(chat: Chat, said: string, options: object = greedy): Promise<string> {
  let text = "";
  for await (const piece of chat.send(said, options)) text += piece.text;
  return text;
}

describe("createChatTemplate", () => {
  const chatml =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content | trim }}<|eot|>{% endfor %}" +
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
  /** The storyteller's tokenizer, as if its file had a template. */
  const withTemplate = (chatTemplate: string | undefined): Tokenizer => ({
    ...modelTokenizer,
    chatTemplate,
  });
  /** The spelling of a control token of this vocabulary. */
  const control = (): string => {
    const id = [...modelTokenizer.endOfGenerationIds][0] ?? expect.fail("no end of generation");
    return modelTokenizer.decode([id], { skipSpecial: false });
  };

  it("gives the tokens of the rendered text where nobody spells a special token", () => {
    const template = createChatTemplate(withTemplate(chatml.replaceAll("<|eot|>", control())));
    expect(template.kind).toBe("model");
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 4 }), (contents) => {
        fc.pre(!contents.some((content) => content.includes("<|")));
        const messages = contents.map(
          (content, i) => ({ role: i % 2 ? "assistant" : "user", content }) as const,
        );
        const text =
          messages.map(({ role, content }) => `<|im_start|>${role}\n${content.trim()}${control()}`).join("") +
          "<|im_start|>assistant\n";
        expect(template.encode(messages)).toEqual(model.tokenize(text, { parseSpecial: true }));
      }),
    );
  });

  it("takes the spelling of a special token for text in what people say, and for the token in the template", () => {
    const template = createChatTemplate(withTemplate(chatml.replaceAll("<|eot|>", control())));
    const ids = template.encode([{ role: "user", content: `end ${control()} now` }]);
    const [id] = model.tokenize(control(), { addSpecial: false, parseSpecial: true });
    expect(ids.filter((each) => each === id)).toHaveLength(1);
    expect(modelTokenizer.decode(ids, { skipSpecial: false })).toContain(`end ${control()} now${control()}`);
  });

  it("keeps what a template does to a message, trimmed or not", () => {
    for (const [filter, text] of [
      ["", "[  a b ]"],
      [" | trim", "[a b]"],
    ] as const) {
      const template = createChatTemplate(
        withTemplate(`{% for m in messages %}[{{ m.content${filter} }}]{% endfor %}`),
      );
      expect(template.encode([{ role: "user", content: "  a b " }])).toEqual(model.tokenize(text));
    }
  });

  it("goes by the whole text where a template looks into messages", () => {
    const template = createChatTemplate(withTemplate("{{ messages[0].content.split('|')[1] }}!"));
    expect(template.encode([{ role: "user", content: "a|b" }])).toEqual(model.tokenize("b!"));
  });

  it("puts messages one after another for a model without a template", () => {
    const template = createChatTemplate(withTemplate(undefined));
    expect(template.kind).toBe("plain");
    expect(template.encode([{ role: "user", content: "Once " }])).toEqual(model.tokenize("Once\n"));
  });

  // Short forms of the families' published templates, without what those do for tools.
  it.each<readonly [string, string, string]>([
    [
      "Bonsai's, Falcon-E's and MiniCPM's ChatML",
      "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
      "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n" +
        "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n",
    ],
    [
      "Qwen3's, which cuts an answer's thoughts",
      "{%- set ns = namespace(last=messages|length - 1) %}" +
        "{%- for message in messages %}{%- set content = message.content %}" +
        "{%- if message.role == 'assistant' and loop.index0 < ns.last and '</think>' in content %}" +
        "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}" +
        "{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}{%- endfor %}" +
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}" +
        "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}",
      "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n" +
        "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n",
    ],
    [
      "Llama 3's, which Llama3-8B-1.58 has",
      "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + " +
        "'<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}" +
        "{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
      "<|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>" +
        "<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWho?<|eot_id|>" +
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ],
    [
      "Falcon3's",
      "{% for message in messages %}{% if message['role'] == 'system' %}{{ '<|system|>\\n' + message['content'] + '\\n' }}" +
        "{% elif message['role'] == 'user' %}{{ '<|user|>\\n' + message['content'] + '\\n' }}" +
        "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>\\n' + message['content'] + eos_token + '\\n' }}{% endif %}" +
        "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}{% endfor %}",
      "<|system|>\nBe kind.\n<|user|>\nHi\n<|assistant|>\nHelloEOS\n<|user|>\nWho?\n<|assistant|>\n",
    ],
  ])("renders %s", (_, chatTemplate, expected) => {
    const tokenizer = modelTokenizer;
    const spell = (id: number | undefined): string =>
      id === undefined ? "" : tokenizer.decode([id], { skipSpecial: false });
    const answer = chatTemplate.includes("</think>") ? "<think>\nhm\n</think>\n\nHello" : "Hello";
    const ids = createChatTemplate(withTemplate(chatTemplate)).encode([
      { role: "system", content: "Be kind." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: answer },
      { role: "user", content: "Who?" },
    ]);
    const text = expected.replace("EOS", spell(tokenizer.eosId));
    expect(ids).toEqual(model.tokenize(text, { parseSpecial: true }));
  });

  it("replaces the official 2B4T file's placeholder", () => {
    const eot = 128_009;
    const base = modelTokenizer;
    // The relevant part of that vocabulary: its size and one token.
    const tokenizer: Tokenizer = {
      ...base,
      chatTemplate: "{% for m in messages %}Human: {{ m.content }}\n\nBITNETAssistant: {% endfor %}",
      vocabSize: 128_256,
      encode: (text, options) => (text === "<|eot_id|>" ? [eot] : base.encode(text, options)),
      encodeParts: (parts) =>
        parts.flatMap(({ text, parseSpecial }) => {
          if (!parseSpecial) return base.encode(text, { addSpecial: false });
          const [first = "", ...rest] = text.split("<|eot_id|>");
          return [first, ...rest].flatMap((piece, i) => [
            ...(i === 0 ? [] : [eot]),
            ...base.encode(piece, { addSpecial: false, parseSpecial: true }),
          ]);
        }),
    };
    const template = createChatTemplate(tokenizer);
    expect(template.kind).toBe("corrected");
    const ids = template.encode([
      { role: "system", content: " Be kind. " },
      { role: "user", content: "Hi <|eot_id|>" },
    ]);
    expect(ids.filter((id) => id === eot)).toHaveLength(2);
    const text = base.decode(
      ids.filter((id) => id !== eot),
      { skipSpecial: true },
    );
    expect(text).toBe("System: Be kind.User: Hi <|eot_id|>Assistant: ");
  });

  it("refuses a template that cannot be read, and one that refuses the messages", () => {
    expect(() => createChatTemplate(withTemplate("{% for %}"))).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID" }) as Error,
    );
    const template = createChatTemplate(withTemplate("{{ raise_exception('no system here') }}"));
    expect(() => template.encode([{ role: "user", content: "x" }])).toThrow(
      /refuses these messages: .*no system here/,
    );
  });
});

describe("model.chat", () => {
  it("gives the same answers from its cache as from the beginning", async () => {
    using chat = model.chat({ system: "A tale." });
    const answers = [
      await textOf(chat, "The fox"),
      await textOf(chat, "The crow"),
      await textOf(chat, "The end"),
    ];
    expect(chat.messages.map(({ role }) => role)).toEqual([
      ...["system", "user", "assistant", "user", "assistant", "user", "assistant"],
    ]);
    expect(chat.messages.filter(({ role }) => role === "assistant").map(({ content }) => content)).toEqual(
      answers,
    );
    using other = model.chat();
    other.restart(chat.messages.slice(0, 5));
    expect(await textOf(other, "The end")).toBe(answers[2]);
  });

  it("evaluates what is new only, and says how long the whole conversation is", async () => {
    using chat = model.chat();
    await textOf(chat, "The fox went out and saw the moon above the old mill");
    const before = chat.messages.map(({ content }) => content).join("\n");
    for await (const piece of chat.send("Then", greedy)) {
      if (piece.usage !== undefined)
        expect(piece.usage.promptTokens).toBeGreaterThan(model.tokenize(before).length - 4);
    }
  });

  it("drops the oldest turns whole when the context is full, and keeps the system message", async () => {
    using chat = model.chat({ system: "Remember me." });
    for (let i = 0; i < 12; i += 1) await textOf(chat, `Part ${i} of the long story of the fox and the crow`);
    expect(chat.droppedMessages).toBeGreaterThan(0);
    expect(chat.droppedMessages % 2).toBe(0);
    expect(chat.messages[0]).toEqual({ role: "system", content: "Remember me." });
    expect(chat.messages[1]?.role).toBe("user");
    // The remaining messages. A conversation of them alone would continue from the same state.
    const messages = chat.messages.slice(0, -2);
    using other = model.chat();
    other.restart(messages);
    const [said, answer] = chat.messages.slice(-2);
    expect(await textOf(other, said?.content ?? "")).toBe(answer?.content);
  });

  it("refuses a message that does not fit, and is as it was", async () => {
    using chat = model.chat();
    const answer = await textOf(chat, "The fox");
    await expect(textOf(chat, "crow ".repeat(400))).rejects.toMatchObject({ code: "CONTEXT_FULL" });
    expect(chat.messages.map(({ content }) => content)).toEqual(["The fox", answer]);
    expect((await textOf(chat, "And")).length).toBeGreaterThan(0);
  });

  it("keeps what was written before it was stopped, and goes on", async () => {
    using chat = model.chat();
    const controller = new AbortController();
    let text = "";
    const stopped = (async () => {
      for await (const piece of chat.send("The fox", { temperature: 0, signal: controller.signal })) {
        text += piece.text;
        if (text.length > 20) controller.abort(new Error("enough"));
      }
    })();
    await expect(stopped).rejects.toThrow("enough");
    expect(chat.messages.at(-1)).toEqual({ role: "assistant", content: text });
    expect((await textOf(chat, "Then")).length).toBeGreaterThan(0);
  });

  it("is one conversation at a time, and none after disposal", async () => {
    const chat = model.chat();
    const first = chat.send("The fox", greedy);
    await first.next();
    await expect(chat.send("The crow", greedy).next()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await first.return();
    expect((await textOf(chat, "The crow")).length).toBeGreaterThan(0);
    chat.dispose();
    chat.dispose();
    await expect(chat.send("x").next()).rejects.toMatchObject({ code: "DISPOSED" });
  });
});
