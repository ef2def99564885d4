import { type ChainModel, makeChainModel } from "./chain-model.js";

/** Qwen 3's template, in short: earlier thoughts are left out, and one variable switches thoughts off. */
export const thinkingTemplate =
  "{%- set ns = namespace(last=0) %}{%- for m in messages %}{%- if m.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}" +
  "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}" +
  "{%- if m.reasoning_content and loop.index0 > ns.last %}{{- '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}{%- endif %}" +
  "{{- m.content + '<|im_end|>\\n' }}{%- endfor %}" +
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}" +
  "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}";

/** The same, for a model that always thinks: the template opens the thought. */
export const openTemplate: string = thinkingTemplate.replace(
  /\{%- if enable_thinking.*$/,
  "{{- '<think>' }}{%- endif %}",
);

export const toolCall = '<tool_call>{"name":"f","arguments":{}}</tool_call>';

/**
 * A model that thinks "why" and answers "So.", whatever it is asked. The first line break of an answer leads
 * to the thought, and the end of a thought to the answer.
 *
 * @param options `thought` and `answer`: texts in which every token occurs once. `tags`: their type in the
 *   vocabulary.
 */
export function makeThinkingModel({
  thought = "why",
  answer = "So.",
  chatTemplate = thinkingTemplate,
  tags = "userDefined",
  more = [],
}: {
  readonly thought?: string;
  readonly answer?: string;
  readonly chatTemplate?: string;
  readonly tags?: "userDefined" | "control";
  /** More tokens of the vocabulary. */
  readonly more?: readonly string[];
} = {}): Promise<ChainModel> {
  const thinkTags = ["<think>", "</think>"];
  return makeChainModel(
    {
      chatTemplate,
      controls: ["<|bos|>", "<|im_end|>", "<|im_start|>", ...(tags === "control" ? thinkTags : [])],
      userDefined: ["\n\n", ...more, ...(tags === "userDefined" ? thinkTags : [])],
    },
    [`\n<think>${thought}</think>\n\n${answer}<|im_end|>`],
  );
}
