import { Template } from "@huggingface/jinja";
import { BitNetError } from "../errors.js";
import type { Tokenizer } from "./tokenizer.js";

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

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
  encode(messages: readonly ChatMessage[]): number[];
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

  function render(messages: readonly ChatMessage[]): string {
    try {
      return template.render({
        messages,
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

  return {
    kind,
    encode(messages): number[] {
      // Contents are put in after rendering, in place of marks: so it is known what is template and what is somebody's text.
      const mark = freshMark(source, messages);
      const marked = render(
        messages.map((message, index) => ({ ...message, content: ` ${mark}${index}${mark} ` })),
      );
      const pattern = new RegExp(`( ?)${mark}(\\d+)${mark}( ?)`, "g");
      const parts: { text: string; parseSpecial: boolean }[] = [];
      let end = 0;
      const found = new Set<number>();
      for (const match of marked.matchAll(pattern)) {
        const [all, before = "", digits = "", after = ""] = match;
        const content = messages[Number(digits)]?.content ?? "";
        const [trimmedStart, trimmedEnd] = [before === "", after === ""];
        parts.push(
          { text: marked.slice(end, match.index), parseSpecial: true },
          { text: trim(content, trimmedStart, trimmedEnd), parseSpecial: false },
        );
        found.add(Number(digits));
        end = match.index + all.length;
      }
      parts.push({ text: marked.slice(end), parseSpecial: true });
      // Some templates look into what is said, as to cut a model's thoughts: then only the whole text is right.
      const whole = render(messages);
      if (parts.map(({ text }) => text).join("") === whole) return begin(tokenizer.encodeParts(parts));
      return begin(tokenizer.encodeParts(splitAtContents(whole, messages)));
    },
  };

  /** With BOS where the model wants it and the template did not write it. */
  function begin(ids: number[]): number[] {
    const [bos] = tokenizer.encode("", { addSpecial: true });
    return bos !== undefined && bos === tokenizer.bosId && ids[0] !== bos ? [bos, ...ids] : ids;
  }
}

function parse(source: string): Template {
  if (source.length > mostTemplateCharacters) {
    throw new BitNetError(
      "MODEL_INVALID",
      `The model's chat template is too long: ${source.length} characters`,
    );
  }
  try {
    return new Template(source);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BitNetError("MODEL_INVALID", `The model's chat template cannot be read: ${why}`, { cause });
  }
}

/** A private-use character that nobody has written. */
function freshMark(source: string, messages: readonly ChatMessage[]): string {
  for (let code = 0xe000; code < 0xf8ff; code += 1) {
    const mark = String.fromCharCode(code);
    if (!source.includes(mark) && !messages.some(({ content }) => content.includes(mark))) return mark;
  }
  throw new BitNetError("INVALID_ARGUMENT", "The messages hold every private-use character there is");
}

function trim(text: string, start: boolean, end: boolean): string {
  const cut = start ? text.trimStart() : text;
  return end ? cut.trimEnd() : cut;
}

/** A rendered text, cut where messages' contents, as far as they are in it, begin and end. */
function splitAtContents(
  whole: string,
  messages: readonly ChatMessage[],
): { text: string; parseSpecial: boolean }[] {
  const parts: { text: string; parseSpecial: boolean }[] = [];
  let end = 0;
  for (const { content } of messages) {
    const text = content.trim();
    const at = text === "" ? -1 : whole.indexOf(text, end);
    if (at === -1) continue;
    parts.push({ text: whole.slice(end, at), parseSpecial: true }, { text, parseSpecial: false });
    end = at + text.length;
  }
  // What cannot be found may hold somebody's text: a spelling in it must not become a token.
  const certain = messages.every(({ content }) => content.trim() === "" || whole.includes(content.trim()));
  parts.push({ text: whole.slice(end), parseSpecial: true });
  return certain ? parts : [{ text: whole, parseSpecial: false }];
}
