import { BitNetError } from "../errors.js";
import { type BoundedTemplate, createBoundedTemplate } from "./bounded-template.js";
import { createTextMarks, type TextMarks } from "./marked-text.js";
import type { TextPart, Tokenizer } from "./tokenizer.js";

/** One turn of a conversation. */
export interface ChatMessage {
  /** Who speaks. */
  readonly role: "system" | "user" | "assistant";
  /** The text. */
  readonly content: string;
}

/** A function that a model asks to be called. */
export interface ToolCall {
  readonly id?: string | undefined;
  readonly name: string;
  /** An object, by the names of parameters. */
  readonly arguments: unknown;
}

/** One turn of a conversation in which tools are used. */
export interface ToolMessage {
  readonly role: ChatMessage["role"] | "tool";
  readonly content: string;
  /** What an assistant asked for. */
  readonly toolCalls?: readonly ToolCall[] | undefined;
  /** Which call a tool's content answers, and which tool. */
  readonly toolCallId?: string | undefined;
  readonly toolName?: string | undefined;
}

/** A function that a model may ask for, as templates expect it: OpenAI's form. */
export interface Tool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string | undefined;
    readonly parameters?: unknown;
  };
}

/** How models write that they ask for a function. */
export type ToolSyntax = "tagged" | "json";

/** Turns conversations into the tokens that a model was trained to go on from. */
export interface ChatTemplate {
  /** Where it comes from: the model's own, a corrected one, or none at all, when contents follow one another as plain text. */
  readonly kind: "model" | "corrected" | "plain";
  /**
   * Token ids of a conversation and of what begins the assistant's answer. The spelling of a special token in a message's
   * content is text: only the template makes special tokens.
   *
   * @throws BitNetError MODEL_INVALID if the template does not work, INVALID_ARGUMENT if it refuses the messages.
   */
  encode(messages: readonly ToolMessage[], tools?: readonly Tool[]): number[];
  /**
   * How the model asks for tools: "tagged" as `<tool_call>{"name": …, "arguments": …}</tool_call>`, "json" as nothing but
   * `{"name": …, "parameters": …}`. Undefined if the template leaves tools out, or none of these is known of it.
   */
  readonly toolSyntax: ToolSyntax | undefined;
}

/**
 * The format that BitNet b1.58 2B4T was trained with. Its official GGUF file carries a placeholder instead, under which the
 * model never stops.
 */
export const bitnetTemplate: string =
  "{{ bos_token }}{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] | trim }}<|eot_id|>" +
  "{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}";

/** For models that were not made for conversations: what is written so far, which they continue. */
const plainTemplate =
  "{{ bos_token }}{% for message in messages %}{{ message['content'] | trim }}{{ '\n' }}{% endfor %}";

/** A template that someone has put thousands of loops into is not waited for. */
const mostTemplateCharacters = 256 << 10;

/** @throws BitNetError MODEL_INVALID if the model's template cannot be parsed. */
export function createChatTemplate(tokenizer: Tokenizer): ChatTemplate {
  const { chatTemplate } = tokenizer;
  const knownWrong = chatTemplate === undefined || chatTemplate.includes("BITNETAssistant");
  const endsTurns = tokenizer.encode("<|eot_id|>", { addSpecial: false, parseSpecial: true }).length === 1;
  // A Llama-3 vocabulary without Llama 3's own template is BitNet's.
  const corrected = knownWrong && endsTurns && tokenizer.vocabSize === 128_256;
  const kind = corrected ? "corrected" : chatTemplate === undefined ? "plain" : "model";
  const source = corrected ? bitnetTemplate : (chatTemplate ?? plainTemplate);
  const template = parse(source);
  const spell = (id: number | undefined): string =>
    id === undefined ? "" : tokenizer.decode([id], { skipSpecial: false });
  const [bosToken, eosToken] = [spell(tokenizer.bosId), spell(tokenizer.eosId)];

  function render(messages: readonly object[], tools: readonly unknown[]): string {
    try {
      return template.render({
        messages,
        ...(tools.length > 0 && { tools }),
        add_generation_prompt: true,
        bos_token: bosToken,
        eos_token: eosToken,
      });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new BitNetError("INVALID_ARGUMENT", `The model's chat template refuses these messages: ${why}`, {
        cause,
      });
    }
  }

  let syntax: { readonly found: ToolSyntax | undefined } | undefined;
  return {
    kind,
    get toolSyntax(): ToolSyntax | undefined {
      syntax ??= { found: findToolSyntax() };
      return syntax.found;
    },
    encode(messages, tools = []): number[] {
      // Contents are put in after rendering, in place of marks: so it is known what is template and what is somebody's text.
      const marks = createTextMarks(source + JSON.stringify([messages, tools]));
      const { mark } = marks;
      const shownTools = tools.map((tool) => marks.around(tool));
      const shown = (contentOf: (message: ToolMessage, index: number) => string): string =>
        render(
          messages.map((message, index) => shownMessage(message, contentOf(message, index), marks)),
          shownTools,
        );
      const marked = shown(({ content }, index) => (content === "" ? "" : ` ${mark}${index}${mark} `));
      const pattern = new RegExp(`( ?)${mark}(\\d+)${mark}( ?)`, "g");
      const parts: TextPart[] = [];
      let end = 0;
      for (const match of marked.matchAll(pattern)) {
        const [all, before = "", digits = "", after = ""] = match;
        const content = messages[Number(digits)]?.content ?? "";
        const [trimmedStart, trimmedEnd] = [before === "", after === ""];
        parts.push(...marks.cut(marked.slice(end, match.index)), {
          text: trim(content, trimmedStart, trimmedEnd),
          parseSpecial: false,
        });
        end = match.index + all.length;
      }
      parts.push(...marks.cut(marked.slice(end)));
      // Some templates look into what is said, as to cut a model's thoughts: then only the whole text is right.
      const whole = shown(({ content }) => content);
      if (parts.map(({ text }) => text).join("") === marks.strip(whole))
        return begin(tokenizer.encodeParts(parts));
      return begin(tokenizer.encodeParts(splitAtContents(whole, messages, marks)));
    },
  };

  function findToolSyntax(): ToolSyntax | undefined {
    const name = "name_of_a_tool";
    const tool = { type: "function", function: { name, parameters: { type: "object", properties: {} } } };
    try {
      if (!render([{ role: "user", content: "?" }], [tool]).includes(name)) return undefined;
    } catch {
      return undefined;
    }
    if (source.includes("<tool_call>")) return "tagged";
    return source.includes('"parameters": ') ? "json" : undefined;
  }

  /** With BOS where the model wants it and the template did not write it. */
  function begin(ids: number[]): number[] {
    const [bos] = tokenizer.encode("", { addSpecial: true });
    return bos !== undefined && bos === tokenizer.bosId && ids[0] !== bos ? [bos, ...ids] : ids;
  }
}

function parse(source: string): BoundedTemplate {
  if (source.length > mostTemplateCharacters) {
    throw new BitNetError(
      "MODEL_INVALID",
      `The model's chat template is too long: ${source.length} characters`,
    );
  }
  try {
    return createBoundedTemplate(source);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BitNetError("MODEL_INVALID", `The model's chat template cannot be read: ${why}`, { cause });
  }
}

/** A message as templates know it. */
function shownMessage(message: ToolMessage, content: string, marks: TextMarks): object {
  const { role, toolCalls, toolCallId, toolName } = message;
  return {
    role,
    content,
    ...(toolCalls !== undefined &&
      toolCalls.length > 0 && {
        tool_calls: toolCalls.map(({ id, name, arguments: given }) => ({
          ...(id !== undefined && { id: marks.around(id) }),
          type: "function",
          function: { name: marks.around(name), arguments: marks.around(given) },
        })),
      }),
    ...(toolCallId !== undefined && { tool_call_id: marks.around(toolCallId) }),
    ...(toolName !== undefined && { name: marks.around(toolName) }),
  };
}

function trim(text: string, start: boolean, end: boolean): string {
  const cut = start ? text.trimStart() : text;
  return end ? cut.trimEnd() : cut;
}

/** A rendered text, cut where messages' contents, as far as they are in it, begin and end. */
function splitAtContents(whole: string, messages: readonly ToolMessage[], marks: TextMarks): TextPart[] {
  const parts: TextPart[] = [];
  let end = 0;
  for (const { content } of messages) {
    const text = content.trim();
    const at = text === "" ? -1 : whole.indexOf(text, end);
    if (at === -1) continue;
    parts.push(...marks.cut(whole.slice(end, at)), { text, parseSpecial: false });
    end = at + text.length;
  }
  // What cannot be found may hold somebody's text: a spelling in it must not become a token.
  const certain = messages.every(({ content }) => content.trim() === "" || whole.includes(content.trim()));
  parts.push(...marks.cut(whole.slice(end)));
  return certain ? parts : [{ text: marks.strip(whole), parseSpecial: false }];
}
