import { BitNetError } from "../errors.js";
import type { ChatEncodeOptions, ChatTemplate, Tool, ToolMessage } from "../text/chat-template.js";
import type { SliceOptions } from "../text/slices.js";
import { type TemplateVariables, thinkingSwitch } from "../text/template-variables.js";
import { phaseAfter, type Thoughts } from "../text/thought-reader.js";
import type { Tokenizer } from "../text/tokenizer.js";

/** The prompt of a chat. */
export interface ChatPrompt {
  readonly ids: readonly number[];
  /** How the thoughts of the answer are found; null for a model that does not think. */
  readonly thoughts: Thoughts | null;
}

export interface ChatPromptOptions extends ChatEncodeOptions {
  readonly tools?: readonly Tool[] | undefined;
}

/** Encodes in slices. @throws BitNetError INVALID_ARGUMENT as `ChatTemplate.encode`; the signal's reason. */
export async function encodeChatAsync(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly ToolMessage[],
  options: ChatPromptOptions & SliceOptions = {},
): Promise<ChatPrompt> {
  const ids = await template.encodeAsync(messages, options.tools, options);
  const continued = options.continueLast === true ? messages.at(-1) : undefined;
  return { ids, thoughts: findThoughts(tokenizer, template, ids, continued) };
}

/**
 * @param continued the message that the answer continues, if there is one.
 * @throws BitNetError INVALID_ARGUMENT if its content is an unfinished thought.
 */
export function findThoughts(
  tokenizer: Tokenizer,
  { thoughts: tags }: ChatTemplate,
  ids: readonly number[],
  continued?: ToolMessage,
): Thoughts | null {
  if (tags === undefined) return null;
  const { content = "", thinking = "" } = continued ?? {};
  if (content.trimStart().startsWith(tags.begin) && !content.includes(tags.end)) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot continue the last message: its content is an unfinished thought; give it as the thought, without ${tags.begin}`,
    );
  }
  if (content !== "") return { tags, begin: "after" };
  if (thinking !== "") return { tags, begin: "thinking", continues: true };
  return { tags, begin: phaseAfter(tokenizer, ids, tags) };
}

/**
 * The variables of a template with thoughts switched on or off.
 *
 * @param thinking undefined leaves them to the template and to `variables`.
 * @throws BitNetError INVALID_ARGUMENT if the model cannot think, or cannot stop it; if `variables` say the
 *   contrary.
 */
export function switchThinking(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  thinking: boolean | undefined,
  variables: TemplateVariables = {},
): TemplateVariables {
  if (thinking === undefined) return variables;
  const set = variables[thinkingSwitch];
  if (set !== undefined && set !== thinking) {
    throw cannotSwitch(thinking, `templateVariables has the contrary ${thinkingSwitch}`);
  }
  if (template.hasThinkingSwitch) return { ...variables, [thinkingSwitch]: thinking };
  if (thinking && template.thoughts === undefined) {
    throw cannotSwitch(thinking, "this model does not support thinking: its chat template knows no thoughts");
  }
  if (!thinking && alwaysThinks(tokenizer, template)) {
    throw cannotSwitch(thinking, `this model always thinks: its chat template has no ${thinkingSwitch}`);
  }
  return variables;
}

function cannotSwitch(thinking: boolean, why: string): BitNetError {
  return new BitNetError("INVALID_ARGUMENT", `Cannot switch thinking ${thinking ? "on" : "off"}: ${why}`, {
    details: { option: "thinking", value: thinking },
  });
}

/** Whether the template itself opens a thought. */
function alwaysThinks(tokenizer: Tokenizer, template: ChatTemplate): boolean {
  if (template.thoughts === undefined) return false;
  try {
    const ids = template.encode([{ role: "user", content: "?" }]);
    return phaseAfter(tokenizer, ids, template.thoughts) === "thinking";
  } catch {
    // The template refuses this message. It may accept those of the request.
    return false;
  }
}
