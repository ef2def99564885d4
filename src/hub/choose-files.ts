import { BitNetError } from "../errors.js";
import { formatRemoteName, type HubName } from "./model-name.js";

/** As much of a file as a choice needs. */
export interface ListedFile {
  readonly path: string;
  readonly size?: number | undefined;
}

/** What of a repository makes a model: one GGUF file, or the files of a checkpoint folder. */
export type ModelChoice<File extends ListedFile> =
  | { readonly kind: "gguf"; readonly file: File }
  | { readonly kind: "checkpoint"; readonly files: readonly File[] }
  /** Several GGUF files that nothing tells apart. */
  | { readonly kind: "ambiguous"; readonly files: readonly File[] }
  | { readonly kind: "none" };

/** The files of a checkpoint folder: at the repository's top, as everything below it is something else. */
const checkpointFiles: readonly RegExp[] = [
  /^config\.json$/,
  /^generation_config\.json$/,
  /^tokenizer[^/]*\.json$/,
  /^tokenizer\.model$/,
  /^special_tokens_map\.json$/,
  /^added_tokens\.json$/,
  /^chat_template[^/]*$/,
  /^[^/]+\.safetensors$/,
  /^[^/]+\.safetensors\.index\.json$/,
];

export function isGguf(path: string): boolean {
  return /\.gguf$/i.test(path);
}

/** The format that ternary models are published in, and that is read fastest here. */
const isI2S = (path: string): boolean => /(^|[^a-z0-9])i2_s([^a-z0-9]|$)/i.test(path);

/** Chooses among the files of a repository: its only GGUF file, else its only one in I2_S, else a checkpoint. */
export function chooseModel<File extends ListedFile>(files: readonly File[]): ModelChoice<File> {
  const ggufs = files.filter(({ path }) => isGguf(path));
  const best = ggufs.length === 1 ? ggufs : ggufs.filter(({ path }) => isI2S(path));
  const [file] = best;
  if (file !== undefined && best.length === 1) return { kind: "gguf", file };
  if (ggufs.length > 0) return { kind: "ambiguous", files: ggufs };
  const parts = files.filter(({ path }) => checkpointFiles.some((pattern) => pattern.test(path)));
  const has = (pattern: RegExp): boolean => parts.some(({ path }) => pattern.test(path));
  return has(/^config\.json$/) && has(/\.safetensors$/)
    ? { kind: "checkpoint", files: parts }
    : { kind: "none" };
}

const maxNamed = 20;

/** @throws BitNetError INVALID_ARGUMENT that lists the names to choose from; UNSUPPORTED_FILE where there is no model. */
export function requireChoice<File extends ListedFile>(
  name: HubName,
  files: readonly File[],
): Exclude<ModelChoice<File>, { kind: "ambiguous" | "none" }> {
  const choice = chooseModel(files);
  const asked = formatRemoteName(name);
  switch (choice.kind) {
    case "gguf":
    case "checkpoint":
      return choice;
    case "ambiguous": {
      const names = choice.files.map(
        ({ path, size }) =>
          formatRemoteName({ ...name, file: path }) +
          (size === undefined ? "" : ` (${Math.ceil(size / 1e6)} MB)`),
      );
      const rest = names.length > maxNamed ? `, and ${names.length - maxNamed} more` : "";
      throw new BitNetError(
        "INVALID_ARGUMENT",
        `"${asked}" has ${names.length} GGUF files: name one of ${names.slice(0, maxNamed).join(", ")}${rest}`,
        { details: { files: choice.files.map(({ path }) => path) } },
      );
    }
    case "none":
      throw new BitNetError(
        "UNSUPPORTED_FILE",
        `Cannot download "${asked}": the repository has neither a GGUF file nor a checkpoint (config.json and *.safetensors)`,
      );
  }
}
