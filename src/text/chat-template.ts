import { BitNetError } from "../errors.js";
import { type BoundedTemplate, createBoundedTemplate, type RenderedPiece } from "./bounded-template.js";
import type { Tool, ToolMessage } from "./chat-messages.js";
import type { SliceOptions } from "./slices.js";
import { type CallForm, numberCalls, probeCallForm, shownMessage } from "./template-messages.js";
import { Spelling } from "./template-values.js";
import { checkVariables, type TemplateVariables, thinkingSwitch } from "./template-variables.js";
import { type ThoughtTags, thinkTags } from "./thought-reader.js";
import type { TextPart, Tokenizer } from "./tokenizer.js";
import { findToolSyntax, type ToolSyntax } from "./tool-syntax.js";

export type { ChatMessage, Tool, ToolCall, ToolMessage } from "./chat-messages.js";

export interface ChatEncodeOptions {
  /** Default: none, and templates take their own defaults. */
  readonly variables?: TemplateVariables | undefined;
  /** Whether the last message is the beginning of an answer that the model is to continue. Default: false. */
  readonly continueLast?: boolean | undefined;
}

/** Turns conversations into prompts of the form that a model was trained with. */
export interface ChatTemplate {
  /** Where it comes from: the model, a correction of the model's, or plain text where a model has none. */
  readonly kind: "model" | "corrected" | "plain";
  /**
   * Token ids of a conversation and of the assistant's opening.
   *
   * Only the template spells control tokens. In messages, tools and variables such a spelling is text. The
   * template cannot change that. Added tokens that are no control tokens, such as Qwen 3's `<think>`, are
   * found everywhere.
   *
   * @throws BitNetError INVALID_ARGUMENT if the template refuses the messages; for a variable that JSON
   *   cannot hold; for a variable that every template has; for a message to continue that is not the
   *   assistant's, or not in the prompt.
   */
  encode(messages: readonly ToolMessage[], tools?: readonly Tool[], options?: ChatEncodeOptions): number[];
  /** As `encode`, in slices as in `Tokenizer.encodeAsync`. */
  encodeAsync(
    messages: readonly ToolMessage[],
    tools?: readonly Tool[],
    options?: ChatEncodeOptions & SliceOptions,
  ): Promise<number[]>;
  /** How the model calls tools. Undefined if the template leaves tools out, or asks for an unknown syntax. */
  readonly toolSyntax: ToolSyntax | undefined;
  /** The tags around the model's thoughts. Undefined for a model that does not think. */
  readonly thoughts: ThoughtTags | undefined;
  /** Whether the template has the variable that switches thoughts on and off (`switchThinking`). */
  readonly hasThinkingSwitch: boolean;
}

/**
 * The format that BitNet b1.58 2B4T was trained with. Its official GGUF file has a placeholder instead. The
 * model never stops with that placeholder.
 */
export const bitnetTemplate: string =
  "{{ bos_token }}{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] | trim }}<|eot_id|>" +
  "{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}";

/** For models that were not made for conversations. They continue the text of all messages. */
const plainTemplate =
  "{{ bos_token }}{% for message in messages %}{{ message['content'] | trim }}{{ '\n' }}{% endfor %}";

/** Published templates have up to 15 kB. */
const maxTemplateCharacters = 256 << 10;

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
  const thoughts = source.includes(thinkTags.end) ? thinkTags : undefined;
  const spell = (id: number | undefined): string =>
    id === undefined ? "" : tokenizer.decode([id], { skipSpecial: false });
  const [bosToken, eosToken] = [spell(tokenizer.bosId), spell(tokenizer.eosId)];

  let knownForm: CallForm | undefined;
  /** How the template takes calls. Found when the first conversation has calls. */
  function formOf(messages: readonly ToolMessage[]): CallForm | undefined {
    if (!messages.some(({ toolCalls = [], role }) => toolCalls.length > 0 || role === "tool"))
      return undefined;
    knownForm ??= probeCallForm(source, (given, form) =>
      render(given, [], {}, form)
        .map(({ text }) => text)
        .join(""),
    );
    return knownForm;
  }

  function render(
    messages: readonly ToolMessage[],
    tools: readonly unknown[],
    { variables = {}, continueLast = false }: ChatEncodeOptions = {},
    form: CallForm | undefined = formOf(messages),
  ): readonly RenderedPiece[] {
    const shown = form?.needsIds === true ? numberCalls(messages) : messages;
    try {
      return template.render({
        ...variables,
        messages: shown.map((message, index) =>
          shownMessage(message, continueLast && index === messages.length - 1 ? "2" : "1", form),
        ),
        ...(tools.length > 0 && { tools }),
        add_generation_prompt: !continueLast,
        bos_token: new Spelling(bosToken, "0"),
        eos_token: new Spelling(eosToken, "0"),
      });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new BitNetError("INVALID_ARGUMENT", `The model's chat template refuses these messages: ${why}`, {
        cause,
      });
    }
  }

  function partsOf(
    messages: readonly ToolMessage[],
    tools: readonly Tool[],
    options: ChatEncodeOptions,
  ): readonly TextPart[] {
    checkVariables(options.variables ?? {});
    if (options.continueLast !== true) return render(messages, tools, options).map(asPart);
    const last = messages.at(-1);
    if (last?.role !== "assistant") {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        "Cannot continue the last message: it is not the assistant's",
      );
    }
    if (last.content !== "") return upToContinued(render(messages, tools, options)).map(asPart);
    // An answer without text is continued from its opening, or from its thought.
    const opening = render(messages.slice(0, -1), tools, { ...options, continueLast: false }).map(asPart);
    return [...opening, ...unfinishedThought(opening, last.thinking)];
  }

  function unfinishedThought(opening: readonly TextPart[], thinking = ""): readonly TextPart[] {
    if (thinking === "") return [];
    const tail = opening
      .map(({ text }) => text)
      .join("")
      .trimEnd();
    if (thoughts === undefined || tail.endsWith(thoughts.end)) {
      const why = thoughts === undefined ? "the model has no thoughts" : "thoughts are switched off";
      throw new BitNetError("INVALID_ARGUMENT", `Cannot continue the thought of the last message: ${why}`);
    }
    const isOpen = tail.endsWith(thoughts.begin);
    return [
      { text: isOpen ? "" : `${thoughts.begin}\n`, parseSpecial: true },
      { text: thinking, parseSpecial: false },
    ];
  }

  let syntax: { readonly found: ToolSyntax | undefined } | undefined;
  return {
    kind,
    thoughts,
    hasThinkingSwitch: source.includes(thinkingSwitch),
    get toolSyntax(): ToolSyntax | undefined {
      syntax ??= { found: probeTools() };
      return syntax.found;
    },
    encode: (messages, tools = [], options = {}) =>
      begin(tokenizer.encodeParts(partsOf(messages, tools, options))),
    encodeAsync: async (messages, tools = [], options = {}) =>
      begin(await tokenizer.encodePartsAsync(partsOf(messages, tools, options), options)),
  };

  function probeTools(): ToolSyntax | undefined {
    const name = "name_of_a_tool";
    const parameters = { type: "object", properties: {} };
    // Hermes 2's template fails for a tool without a description.
    const tool = { type: "function", function: { name, description: "A tool.", parameters } };
    try {
      const pieces = render([{ role: "user", content: "?" }], [tool]);
      if (!pieces.some(({ text }) => text.includes(name))) return undefined;
    } catch {
      return undefined;
    }
    return findToolSyntax(source);
  }

  /** With BOS, if the model wants it and the template did not write it. */
  function begin(ids: number[]): number[] {
    const [bos] = tokenizer.encode("", { addSpecial: true });
    return bos !== undefined && bos === tokenizer.bosId && ids[0] !== bos ? [bos, ...ids] : ids;
  }
}

function parse(source: string): BoundedTemplate {
  if (source.length > maxTemplateCharacters) {
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

const asPart = ({ text, origin }: RenderedPiece): TextPart => ({ text, parseSpecial: origin === "0" });

/** A prompt without what the template put after the message to continue. */
function upToContinued(pieces: readonly RenderedPiece[]): readonly RenderedPiece[] {
  const end = pieces.findLastIndex(({ origin }) => origin === "2");
  if (end !== -1) return pieces.slice(0, end + 1);
  throw new BitNetError(
    "INVALID_ARGUMENT",
    "Cannot continue the last message: the model's chat template leaves its text out",
  );
}
