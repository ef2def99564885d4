import { type ChainModel, makeChainModel } from "./chain-model.js";

/** The answer to a plain question. */
export const plainAnswer = "Rain in Ulm.";
/** The answer after a tool's result. */
export const resultAnswer = "It rains today!";
/** The arguments of the call, and the answer in JSON. */
export const weather = { city: "Ulm", days: 2 } as const;

const callTokens = [
  '<tool_call>\n{"name": "weather", "arguments": ',
  '{"city": ',
  '"Ulm", "days": ',
  "2}}\n</tool_call>",
];
/** Begins the same answer as a call of the tool `json`: so the AI SDK asks Anthropic's models for JSON. */
const jsonCallToken = '<tool_call>\n{"name": "json", "arguments": ';
const jsonTokens = ['{"city":', '"Ulm"', ',"days":', "2}"];
const words = ["Rain", " in", " Ulm", ".", "It", " rains", " today", "!"];

/** The last token of the prompt says which answer the model is to write. */
const chatTemplate = `{%- set ns = namespace(json=false, call=false, jsonCall=false) %}
{%- if tools %}{{- 'Tools as <tool_call>:' }}{%- for tool in tools %}{{- ' ' + tool.function.name }}{%- if tool.function.name == 'weather' %}{%- set ns.call = true %}{%- elif tool.function.name == 'json' %}{%- set ns.jsonCall = true %}{%- endif %}{%- endfor %}{%- endif %}
{%- for m in messages %}
{{- '<|im_start|>' + m.role + '\\n' + m.content }}
{%- if m.tool_calls %}{%- for call in m.tool_calls %}{{- '<tool_call>' + call.function.name }}{%- endfor %}{%- endif %}
{{- '<|im_end|>' }}
{%- if 'JSON' in m.content %}{%- set ns.json = true %}{%- endif %}
{%- endfor %}
{%- if ns.call and messages[-1].role != 'tool' %}{{- '<|call|>' }}{%- elif ns.jsonCall %}{{- '<|jsoncall|>' }}{%- elif ns.json %}{{- '<|json|>' }}{%- elif messages[-1].role == 'tool' %}{{- '<|result|>' }}{%- else %}{{- '<|plain|>' }}{%- endif %}`;

/**
 * A model whose answers are known, so that each client's result can be checked. It calls the tool `weather`
 * if the request has it, unless the last message is the tool's result. Otherwise it writes JSON if a message
 * has this word, or else a text.
 */
export function makeWeatherModel(): Promise<ChainModel> {
  return makeChainModel(
    {
      chatTemplate,
      controls: [
        ...["<|bos|>", "<|im_end|>", "<|im_start|>"],
        ...["<|plain|>", "<|call|>", "<|result|>", "<|json|>", "<|jsoncall|>"],
      ],
      userDefined: [...words, ...callTokens, jsonCallToken, ...jsonTokens],
    },
    [
      `<|plain|>${plainAnswer}<|im_end|>`,
      `<|result|>${resultAnswer}<|im_end|>`,
      `<|call|>${callTokens.join("")}<|im_end|>`,
      `<|jsoncall|>${jsonCallToken}${callTokens.slice(1).join("")}<|im_end|>`,
      `<|json|>${jsonTokens.join("")}<|im_end|>`,
      // Any object, where a request has no schema.
      "{}<|im_end|>",
    ],
    { contextLength: 8192 },
  );
}
