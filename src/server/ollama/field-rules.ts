import { type FieldRules, isGiven, isOther } from "../requests/field-rules.js";
import { usedOptions } from "./sampling.js";

/** The rules of `/api/chat` and `/api/generate`. */
export const fieldRules: FieldRules = {
  objects: { options: usedOptions },
  harmless: [
    // A prompt that does not fit is refused, and a text that does not fit ends with "length": both are seen.
    "truncate",
    "shift",
    ...[
      "num_ctx",
      "num_keep",
      "num_batch",
      "num_gpu",
      "main_gpu",
      "num_thread",
      "num_gqa",
      "numa",
      "low_vram",
      "f16_kv",
      "logits_all",
      "vocab_only",
      "use_mmap",
      "use_mlock",
      "embedding_only",
      "penalize_newline",
      "mirostat_eta",
      "mirostat_tau",
    ].map((name) => `options.${name}`),
  ],
  refused: {
    images: { asks: isGiven, advice: "this server reads text only" },
    "messages[].images": { asks: isGiven, advice: "this server reads text only" },
    suffix: { asks: isGiven, advice: "no ternary model fills in the middle of a text" },
    context: { asks: isGiven, advice: "send the conversation to /api/chat" },
    template: { asks: isGiven, advice: "apply it yourself, and set raw" },
    logprobs: { asks: isGiven, advice: "use /v1/chat/completions" },
    top_logprobs: { asks: isOther(0), advice: "use /v1/chat/completions" },
    "options.mirostat": { asks: isOther(0), advice: "use temperature, top_k, top_p or min_p" },
    "options.typical_p": { asks: isOther(1), advice: "use top_p or min_p" },
    "options.tfs_z": { asks: isOther(1), advice: "use top_p or min_p" },
    "options.top_logprobs": { asks: isOther(0), advice: "use /v1/chat/completions" },
  },
};
