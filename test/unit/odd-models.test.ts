import { describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { storytellerPath } from "../golden-path.js";
import { type Edit, rewriteModel } from "../rewritten-model.js";

/** The storyteller's tokenizer without its last tokens; the embedding keeps its rows. */
function shortenVocabulary({ metadata }: Edit, count: number): void {
  for (const table of ["tokens", "scores", "token_type"]) {
    const key = `tokenizer.ggml.${table}`;
    const entry = metadata.get(key);
    if (entry === undefined || typeof entry.value !== "object") throw new Error(`no ${key}`);
    metadata.set(key, { ...entry, value: entry.value.slice(0, count) });
  }
}

describe("a model that is unusual and usable", () => {
  it("never writes a token that its tokenizer does not have, where the head has more rows", async () => {
    const bytes = await rewriteModel(storytellerPath, (parts) => shortenVocabulary(parts, 4095));
    await using model = await loadModel(bytes, { threads: 1 });
    const options = { maxTokens: 4, temperature: 0 } as const;
    await using whole = await loadModel(storytellerPath, { threads: 1 });
    const expected = await whole.complete("Once upon", options);
    const logitBias = new Map([[4095, 1000]]);
    expect(await model.complete("Once upon", { ...options, logitBias })).toBe(expected);
  });

  it("continues a prompt and does not begin anew, where the tokenizer ends texts with EOS", async () => {
    const bytes = await rewriteModel(storytellerPath, ({ metadata }) =>
      metadata.set("tokenizer.ggml.add_eos_token", { type: "bool", value: true }),
    );
    await using model = await loadModel(bytes, { threads: 1 });
    await using usual = await loadModel(storytellerPath, { threads: 1 });
    expect(model.tokenize("Once upon")).toHaveLength(usual.tokenize("Once upon").length + 1);
    const options = { maxTokens: 4, temperature: 0 } as const;
    expect(await model.complete("Once upon", options)).toBe(await usual.complete("Once upon", options));
  });
});
