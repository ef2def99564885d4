import type { Metadata } from "#dist/files/model-file.js";
import { knownPreTokenizers, llama3PreTokenizer } from "#dist/text/pre-tokenizers.js";

/**
 * The files of a Hugging Face tokenizer by name, made from GGUF metadata: the reverse of src/checkpoints/.
 */
export function exportTokenizer(metadata: Metadata): Record<string, unknown> {
  const tokens = metadata.get("tokenizer.ggml.tokens") as readonly string[];
  const types = metadata.get("tokenizer.ggml.token_type") as ArrayLike<number>;
  const isPieces = metadata.get("tokenizer.ggml.model") === "llama";
  const idOf = (role: string): number | undefined =>
    metadata.get(`tokenizer.ggml.${role}_token_id`) as number | undefined;
  const spelling = (role: string): string | undefined => {
    const id = idOf(role);
    return id === undefined ? undefined : tokens[id];
  };

  const vocab: [string, number][] = [];
  const added: unknown[] = [];
  tokens.forEach((token, id) => {
    const type = types[id];
    const isAdded = type === 3 || type === 4 || type === 2;
    // Unused tokens are padding that a tokenizer.json does not list.
    if (type === 5) return;
    if (!isAdded || isPieces) vocab.push([isPieces ? token.replaceAll(" ", "▁") : token, id]);
    if (isAdded) {
      const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
      // GGUF stores such pieces as in a text. tokenizer.json has marks for spaces.
      const content = isPieces ? token.replaceAll(" ", "▁") : token;
      added.push({ id, content, ...flags, special: type !== 4 });
    }
  });
  const bos = spelling("bos");
  const eos = spelling("eos");
  return {
    "tokenizer.json": {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: isPieces ? pieceNormalizer(metadata) : null,
      pre_tokenizer: isPieces ? null : bytePreTokenizer(metadata),
      post_processor:
        bos === undefined
          ? null
          : {
              type: "TemplateProcessing",
              single: [{ SpecialToken: { id: bos, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
              pair: [],
              special_tokens: { [bos]: { id: bos, ids: [idOf("bos")], tokens: [bos] } },
            },
      decoder: null,
      model: {
        type: "BPE",
        dropout: null,
        unk_token: isPieces ? (spelling("unknown") ?? "<unk>") : null,
        fuse_unk: isPieces,
        byte_fallback: isPieces,
        ignore_merges: isPieces ? false : splitterOf(metadata).ignoreMerges,
        vocab: Object.fromEntries(vocab),
        merges: isPieces ? pieceMerges(metadata) : metadata.get("tokenizer.ggml.merges"),
      },
    },
    "tokenizer_config.json": {
      bos_token: bos === undefined ? null : { __type: "AddedToken", content: bos },
      eos_token: eos ?? null,
      chat_template: metadata.get("tokenizer.chat_template") ?? null,
    },
  };
}

function splitterOf(metadata: Metadata): (typeof knownPreTokenizers)[number] {
  const name = metadata.get("tokenizer.ggml.pre") ?? "default";
  return knownPreTokenizers.find(({ names }) => names.some((known) => known === name)) ?? llama3PreTokenizer;
}

function bytePreTokenizer(metadata: Metadata): unknown {
  const published = (expression: string): string =>
    expression.replace(
      "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])",
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
    );
  const splits = splitterOf(metadata).splits.map((expression) => ({
    type: "Split",
    pattern: { Regex: published(expression) },
    behavior: "Isolated",
    invert: false,
  }));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
  return { type: "Sequence", pretokenizers: [...splits, byteLevel] };
}

function pieceNormalizer(metadata: Metadata): unknown {
  const replace = { type: "Replace", pattern: { String: " " }, content: "▁" };
  if (metadata.get("tokenizer.ggml.add_space_prefix") === false) return replace;
  return { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, replace] };
}

/** As converters from SentencePiece list them: every split of every token, the highest score first. */
function pieceMerges(metadata: Metadata): readonly string[] {
  const tokens = metadata.get("tokenizer.ggml.tokens") as readonly string[];
  const scores = metadata.get("tokenizer.ggml.scores") as ArrayLike<number>;
  const vocab = new Map(tokens.map((token, id) => [token, id]));
  const merges: { readonly left: string; readonly right: string; readonly score: number }[] = [];
  tokens.forEach((token, id) => {
    for (let cut = 1; cut < token.length; cut += 1) {
      const [left, right] = [token.slice(0, cut), token.slice(cut)];
      if (vocab.has(left) && vocab.has(right)) merges.push({ left, right, score: scores[id] ?? 0 });
    }
  });
  return merges
    .toSorted(
      (a, b) =>
        b.score - a.score ||
        Array.from(b.left).length - Array.from(a.left).length ||
        Array.from(b.right).length - Array.from(a.right).length,
    )
    .map(({ left, right }) => `${left} ${right}`);
}
