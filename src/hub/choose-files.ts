import { BitNetError } from "../errors.js";
import { partPaths } from "../files/split-gguf.js";
import { formatRemoteName, type HubName } from "./model-name.js";

/** The facts of a file that a choice needs. */
export interface ListedFile {
  readonly path: string;
  readonly size?: number | undefined;
}

/** The files of a repository that make a model: a GGUF file, whole or in parts, or a checkpoint folder. */
export type ModelChoice<File extends ListedFile> =
  | { readonly kind: "gguf"; readonly files: readonly File[] }
  | { readonly kind: "checkpoint"; readonly files: readonly File[] }
  /** Several GGUF files, and no rule prefers one. */
  | { readonly kind: "ambiguous"; readonly files: readonly File[] }
  | { readonly kind: "none" };

/** The files of a checkpoint folder. It lies at the top of the repository; subfolders hold other things. */
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
  /^modules\.json$/,
  /^\d+_Pooling\/config\.json$/,
];

export function isGguf(path: string): boolean {
  return /\.gguf$/i.test(path);
}

/** The paths of the files of a GGUF model: of all parts, if one part is named. */
export function ggufPaths(path: string): readonly string[] {
  return partPaths(path) ?? [path];
}

/** The files that are listed of a GGUF model, first part first. */
export function ggufFiles<File extends ListedFile>(files: readonly File[], path: string): readonly File[] {
  return ggufPaths(path).flatMap((part) => files.find((file) => file.path === part) ?? []);
}

/** Every GGUF model among the files. Parts without their first one are no model. */
export function ggufModels<File extends ListedFile>(files: readonly File[]): readonly (readonly File[])[] {
  return files
    .filter(({ path }) => isGguf(path) && ggufPaths(path)[0] === path)
    .map(({ path }) => ggufFiles(files, path));
}

/**
 * Tests of file names, the preferred one first. Most ternary models are published in I2_S, and it loads
 * fastest here. Any other ternary type is smaller than the F16 file beside it, and has the same weights.
 */
const preferredNames: readonly RegExp[] = [
  /(^|[^a-z0-9])i2_s([^a-z0-9]|$)/i,
  /(^|[^a-z0-9])(i2_s|tq[12]_0|q[12]_0)(_g\d+)?([^a-z0-9]|$)/i,
];

/**
 * Chooses among the files of a repository: its only GGUF model, else its only one in I2_S, else its only
 * ternary one, else a checkpoint.
 */
export function chooseModel<File extends ListedFile>(files: readonly File[]): ModelChoice<File> {
  const ggufs = ggufModels(files);
  const choices = preferredNames.map((name) => ggufs.filter(([first]) => name.test(first?.path ?? "")));
  const [model] = [ggufs, ...choices].find(({ length }) => length === 1) ?? [];
  if (model !== undefined) return { kind: "gguf", files: model };
  if (ggufs.length > 0) return { kind: "ambiguous", files: ggufs.flatMap(([first]) => first ?? []) };
  const parts = files.filter(({ path }) => checkpointFiles.some((pattern) => pattern.test(path)));
  const has = (pattern: RegExp): boolean => parts.some(({ path }) => pattern.test(path));
  return has(/^config\.json$/) && has(/\.safetensors$/)
    ? { kind: "checkpoint", files: parts }
    : { kind: "none" };
}

const maxNamed = 20;

/** @throws BitNetError INVALID_ARGUMENT with the names to choose from; UNSUPPORTED_FILE without a model. */
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
