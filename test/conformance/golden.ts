import { readFileSync } from "node:fs";

/** One prompt and the native engine's output for it. */
export interface GoldenPrompt {
  readonly text: string;
  /** BOS added, special tokens parsed. */
  readonly tokens: readonly number[];
  /** The index of this prompt's first row in `logits`. */
  readonly logits_row0: number;
  readonly n_rows: number;
  /** Ids that the engine chose after the prompt. For each choice, the top two as [id, logit]. */
  readonly greedy: readonly number[];
  readonly greedy_top2: readonly (readonly [readonly [number, number], readonly [number, number]])[];
}

/** `golden.json` and `logits.f32` of a model. */
export interface Golden {
  readonly n_vocab: number;
  readonly prompts: readonly GoldenPrompt[];
  /** One window of tokens. Every position except the last is scored on the next token. */
  readonly ppl: { readonly tokens: readonly number[]; readonly n_scored: number; readonly ppl: number };
  /** [rows][n_vocab] */
  readonly logits: Float32Array;
}

export function readGolden(folder: string): Golden {
  const golden = JSON.parse(readFileSync(`${folder}/golden.json`, "utf8")) as Omit<Golden, "logits">;
  const bytes = readFileSync(`${folder}/logits.f32`);
  return { ...golden, logits: new Float32Array(new Uint8Array(bytes).buffer) };
}
