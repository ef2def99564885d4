import { fileURLToPath } from "node:url";
import { embeddedModelUrl, type LanguageModel, loadModel } from "#dist/index.js";
import { rewriteModel } from "./rewritten-model.js";

/** The form of the Hermes and Qwen templates. */
export const taggedTemplate = `{% if tools %}Tools:{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
Call them as <tool_call>{"name": ..., "arguments": ...}</tool_call>
{% endif %}{% for message in messages %}{{ message.role }}: {{ message.content }}{% if message.tool_calls %}{% for call in message.tool_calls %}<tool_call>{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}</tool_call>{% endfor %}{% endif %}
{% endfor %}assistant: `;

/**
 * The embedded model with a larger context and another chat template.
 *
 * @param controls tokens that it has besides, by id. Default: none.
 */
export async function loadWithTemplate(
  template: string | undefined,
  controls: ReadonlyMap<number, string> = new Map(),
): Promise<LanguageModel> {
  const bytes = await rewriteModel(fileURLToPath(embeddedModelUrl), ({ metadata }) => {
    const tokens = metadata.get("tokenizer.ggml.tokens");
    if (Array.isArray(tokens?.value)) {
      const value = tokens.value.map((token: unknown, id) => controls.get(id) ?? String(token));
      metadata.set("tokenizer.ggml.tokens", { type: "string[]", value });
    }
    // Tools take many tokens of this vocabulary. The text at such positions need not make sense.
    for (const [key, entry] of metadata)
      if (key.endsWith(".context_length")) metadata.set(key, { ...entry, value: 2048 });
    if (template !== undefined) metadata.set("tokenizer.chat_template", { type: "string", value: template });
  });
  return loadModel(bytes, { threads: 1 });
}
