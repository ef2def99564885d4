import { greedyPrompts, greedyTokens, perplexityText, perplexityWindow, sentences, texts } from "./inputs.js";
import type { RealModel } from "./settings.js";

/** A greedy text by llama.cpp. */
export interface GreedyText {
  readonly prompt: readonly number[];
  readonly ids: readonly number[];
  /** Per token, the distance between the largest and the second largest logit. */
  readonly gaps: readonly number[];
}

/** llama.cpp's results for the inputs. */
export interface Reference {
  /** Token ids of the texts, without BOS and EOS. */
  readonly plainIds: readonly (readonly number[])[];
  /** The same, with the control tokens that the texts spell. */
  readonly specialIds: readonly (readonly number[])[];
  readonly greedy: readonly GreedyText[];
  readonly perplexity: number;
  /** Hidden states of the last token of each sentence, with EOS behind it. */
  readonly vectors: readonly (readonly number[])[];
}

/** The part of node-llama-cpp that is used here. It is no dependency, so its own types are not there. */
interface NodeLlamaCpp {
  getLlama(
    options: object,
  ): Promise<{ loadModel(options: object): Promise<Model>; dispose(): Promise<void> }>;
}
interface Model {
  readonly tokens: {
    readonly bos: number | null;
    readonly eos: number | null;
    shouldPrependBosToken: boolean;
  };
  tokenize(text: string, specialTokens: boolean, options: "trimLeadingSpace"): number[];
  isEogToken(id: number): boolean;
  createContext(options: object): Promise<{ getSequence(): Sequence; dispose(): Promise<void> }>;
  createEmbeddingContext(options: object): Promise<{
    getEmbeddingFor(ids: readonly number[]): Promise<{ readonly vector: readonly number[] }>;
    dispose(): Promise<void>;
  }>;
}
interface Sequence {
  clearHistory(): Promise<void>;
  controlledEvaluate(input: readonly Input[]): Promise<readonly (Output | undefined)[]>;
}
type Input = number | readonly [number, { readonly generateNext: object }];
interface Output {
  readonly next: { readonly logits: ReadonlyMap<number, number>; readonly totalLogitWeight: number };
}

/** Runs llama.cpp on the inputs. */
export async function computeReference(url: string, { id, path }: RealModel): Promise<Reference> {
  const { getLlama } = (await import(url)) as NodeLlamaCpp;
  const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: 1 });
  try {
    const model = await llama.loadModel({ modelPath: path });
    const context = await model.createContext({ contextSize: 1024, batchSize: 512, threads: 1 });
    const sequence = context.getSequence();
    const greedy: GreedyText[] = [];
    for (const prompt of greedyPrompts(id)) greedy.push(await continueGreedily(model, sequence, prompt));
    const reference = {
      plainIds: texts.map((text) => tokenize(model, text, { special: false })),
      specialIds: texts.map((text) => tokenize(model, text, { special: true })),
      greedy,
      perplexity: await measurePerplexity(model, sequence),
    };
    await context.dispose();
    return { ...reference, vectors: await embedSentences(model) };
  } finally {
    await llama.dispose();
  }
}

/** With the space in front that SentencePiece models add, and that this function removes by default. */
function tokenize(model: Model, text: string, { special }: { readonly special: boolean }): number[] {
  return model.tokenize(text, special, "trimLeadingSpace");
}

function withBos({ tokens }: Model, ids: readonly number[]): number[] {
  return tokens.shouldPrependBosToken && tokens.bos !== null ? [tokens.bos, ...ids] : [...ids];
}

async function continueGreedily(model: Model, sequence: Sequence, text: string): Promise<GreedyText> {
  const prompt = withBos(model, tokenize(model, text, { special: true }));
  const ids: number[] = [];
  const gaps: number[] = [];
  await sequence.clearHistory();
  let input: readonly number[] = prompt;
  while (ids.length < greedyTokens) {
    const last = [input.at(-1) ?? 0, { generateNext: { logits: { filter: { includeTop: 2 } } } }] as const;
    const outputs = await sequence.controlledEvaluate([...input.slice(0, -1), last]);
    const [first, second] = [...(outputs.at(-1)?.next.logits ?? [])].sort(([, a], [, b]) => b - a);
    if (first === undefined || second === undefined) throw new Error("node-llama-cpp gave no logits");
    ids.push(first[0]);
    gaps.push(first[1] - second[1]);
    if (model.isEogToken(first[0])) break;
    input = [first[0]];
  }
  return { prompt, ids, gaps };
}

/** As llama-perplexity: chunks by themselves, the first token replaced by BOS, the second half scored. */
async function measurePerplexity(model: Model, sequence: Sequence): Promise<number> {
  const { tokens, chunks } = perplexityWindow;
  const all = withBos(model, tokenize(model, await perplexityText(), { special: false }));
  let [sum, count] = [0, 0];
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const ids = all.slice(chunk * tokens, (chunk + 1) * tokens);
    if (model.tokens.shouldPrependBosToken && model.tokens.bos !== null) ids[0] = model.tokens.bos;
    await sequence.clearHistory();
    const input = ids.slice(0, -1).map((id, position): Input => {
      if (position < tokens / 2) return id;
      // With tokens, `includeMax` has no effect in this version.
      const filter = { tokens: [ids[position + 1]], includeTop: 1 };
      return [id, { generateNext: { logits: { filter }, totalLogitWeight: true } }];
    });
    for (const [position, output] of (await sequence.controlledEvaluate(input)).entries()) {
      if (output === undefined) continue;
      const { logits, totalLogitWeight } = output.next;
      const target = logits.get(ids[position + 1] ?? -1) ?? Number.NaN;
      sum += Math.max(...logits.values()) + Math.log(totalLogitWeight) - target;
      count += 1;
    }
  }
  if (count !== chunks * (tokens / 2 - 1)) throw new Error(`node-llama-cpp scored ${count} tokens`);
  return Math.exp(sum / count);
}

async function embedSentences(model: Model): Promise<(readonly number[])[]> {
  const context = await model.createEmbeddingContext({ contextSize: 256, threads: 1 });
  const vectors: (readonly number[])[] = [];
  for (const sentence of sentences) {
    const ids = withBos(model, tokenize(model, sentence, { special: false }));
    if (model.tokens.eos !== null) ids.push(model.tokens.eos);
    vectors.push((await context.getEmbeddingFor(ids)).vector);
  }
  await context.dispose();
  return vectors;
}
