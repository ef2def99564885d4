import { bitnetB158 } from "./bitnet-b1.58.js";
import { bitnet } from "./bitnet.js";
import type { CheckpointFamily } from "./family.js";
import { gemma3 } from "./gemma3.js";
import { llama } from "./llama.js";
import { minicpm } from "./minicpm.js";
import { qwen2 } from "./qwen2.js";
import { qwen3 } from "./qwen3.js";

export type { CheckpointFamily } from "./family.js";

/** Every family whose checkpoints can be opened. A new family is a file and a line. */
export const checkpointFamilies: readonly CheckpointFamily[] = [
  bitnetB158,
  bitnet,
  llama,
  qwen2,
  qwen3,
  minicpm,
  gemma3,
];
