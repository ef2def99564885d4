import { BitNetError } from "../../errors.js";
import { parseRemoteName } from "../../hub/model-name.js";
import { badRequest, Failure } from "../failures.js";

/**
 * The spelling of a name under which a model is found. Ollama's clients add `:latest`. Names on the hub are
 * the same with `hf:`, with `hf.co/`, and with a colon before the file.
 */
export function plainName(name: string): string {
  return name
    .replace(/:latest$/, "")
    .replace(/^(?:hf:|hf\.co\/|huggingface\.co\/)/i, "")
    .replace(/^([^/:]+\/[^/:]+):(.+)$/, "$1/$2");
}

/**
 * The name of a model to download: "hf:owner/repo", with its file and revision if they are given. A Failure
 * with status 400 refuses everything else, such as paths and URLs.
 */
export function hubNameOf(given: string): string {
  const name = `hf:${plainName(given)}`;
  try {
    parseRemoteName(name);
    return name;
  } catch (error) {
    if (!(error instanceof BitNetError)) throw error;
    throw badRequest(
      "model",
      `Cannot pull ${JSON.stringify(given.slice(0, 200))}: expected a name on the hub, such as owner/repo, hf:owner/repo or owner/repo:model.gguf`,
    );
  }
}

/** Ollama's clients look for "model '…' not found". */
export function modelNotFound(name: string, known: readonly string[]): Failure {
  return new Failure(
    404,
    "model_not_found",
    `model '${name.slice(0, 200)}' not found: this server has ${known.map((each) => `'${each}'`).join(", ")}`,
    "model",
  );
}
