import { readFile } from "node:fs/promises";

/** Texts whose token ids must equal llama.cpp's, with and without control tokens. */
export const texts: readonly string[] = [
  "The quick brown fox jumps over the lazy dog.",
  "  two spaces,\ttabs\t\tand\n\nline breaks \r\n ",
  "Numbers: 3.14159, 1,000,000, 2026-11-28 and 0xff; it's, we'll, I'VE.",
  "Grüße aus Köln – naïve café, Ελλάδα, Москва, 東京, ไทย, עברית, العربية",
  "Emoji 👩‍👩‍👧‍👦 🇩🇪 ✨, n\u0303 and \u200b and \ufeff",
  "function add(a, b) { return a + b; } // <|im_end|> <|endoftext|> </s>",
  "<|im_start|>user\nHi<|im_end|>\n<start_of_turn>user\nHi<end_of_turn>\n<bos>",
  "",
  " ",
];

/** Pairs in order: the first two of each three are alike, and the third is not. */
export const sentences: readonly string[] = [
  "A man is playing a guitar on the stage.",
  "Someone plays guitar in front of an audience.",
  "The stock market fell sharply on Monday.",
  "How do I bake a chocolate cake?",
  "What is a good recipe for chocolate cake?",
  "The submarine dived below the ice.",
];

const userTurn = (text: string): string => `<|im_start|>user\n${text}<|im_end|>\n`;
const smolSystem =
  "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n";

/** SmolLM2's prompt of one question, as its card shows it. */
export function smolPrompt(question: string): string {
  return `${smolSystem}${userTurn(question)}<|im_start|>assistant\n`;
}

/** Questions for greedy answers. A right answer matches. */
export const questions: readonly { readonly text: string; readonly answer: RegExp }[] = [
  { text: "What is the capital of Japan?", answer: /\bTokyo\b/ },
  { text: "What is 2 + 2?", answer: /\b(4|four)\b/i },
  { text: "Name three colors.", answer: /\b(red|blue|green|yellow)\b/i },
  { text: "How many days are in a week?", answer: /\b(7|seven)\b/i },
  { text: "Give me a synonym for happy.", answer: /\b(joy|cheer|content|delight|glad|elat|pleas)/i },
];

/** Prompts that both sides continue greedily: with control tokens for a chat model, plain ones for others. */
export function greedyPrompts(model: string): readonly string[] {
  if (model === "smollm2") return questions.map(({ text }) => smolPrompt(text));
  return [
    "The capital of France is",
    "The first man on the moon was",
    "2, 4, 6, 8,",
    "def fibonacci(n):\n",
    "Die Hauptstadt von Italien heißt",
  ];
}

/** Maximum number of tokens of a greedy text. */
export const greedyTokens = 32;

/** Tokens of a chunk, and chunks, of the comparison of perplexities. */
export const perplexityWindow = { tokens: 512, chunks: 2 } as const;

/** Public-domain stories. */
export async function perplexityText(): Promise<string> {
  const text = await readFile(new URL("../../training/sample/stories.txt", import.meta.url), "utf8");
  return text.slice(0, 20_000);
}
