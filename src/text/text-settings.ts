import { BitNetError } from "../errors.js";
import type { Metadata, MetadataType, MetadataValue } from "../files/model-file.js";

/**
 * Settings of a tokenizer.json that GGUF has no keys for. The checkpoint reader writes them under keys of
 * ours. Files from `bitnet convert` keep them. Other programs ignore them.
 */
export interface TextSettings {
  /** Text is composed (NFC) before it is cut into words. */
  readonly nfc: boolean;
  /**
   * Where a space mark is put before text that does not begin with one. "first": at the beginning of the
   * whole text. "always": also after every special token. Undefined: as GGUF's `add_space_prefix` says.
   */
  readonly prepend: "never" | "first" | "always" | undefined;
  /** Every space mark begins a word, so that no token has two. */
  readonly splitsMarks: boolean;
  /**
   * Follows Hugging Face's tokenizers where llama.cpp differs. No token becomes a control token by its name.
   * A literal space mark in a text counts as one.
   */
  readonly exact: boolean;
  /** Ids of added tokens that take the white space before them, and after them. */
  readonly stripsLeft: ReadonlySet<number>;
  readonly stripsRight: ReadonlySet<number>;
  /** Ids of added tokens that are only found between other characters than letters and digits. */
  readonly singleWord: ReadonlySet<number>;
  /** Ids of added tokens that are looked for after a space mark was put before the text. */
  readonly normalized: ReadonlySet<number>;
  /** Ids of added tokens that merges make as well, of text in which the token itself is not found. */
  readonly merged: ReadonlySet<number>;
}

const prefix = "tokenizer.bitnet_wasm.";
const flags = { nfc: "nfc", splitsMarks: "splits_marks", exact: "exact" } as const;
const lists = {
  stripsLeft: "added_lstrip",
  stripsRight: "added_rstrip",
  singleWord: "added_single_word",
  normalized: "added_normalized",
  merged: "added_merged",
} as const;
const schemes: readonly unknown[] = ["never", "first", "always"] satisfies readonly TextSettings["prepend"][];

/** The entries of metadata that say what differs from the defaults. */
export function settingsEntries(
  settings: Partial<TextSettings>,
): readonly (readonly [key: string, type: MetadataType, value: MetadataValue])[] {
  const { prepend } = settings;
  return [
    ...Object.entries(flags).flatMap(([name, key]) =>
      settings[name as keyof typeof flags] === true ? [[prefix + key, "bool", true] as const] : [],
    ),
    ...(prepend === undefined ? [] : [[`${prefix}prepend`, "string", prepend] as const]),
    ...Object.entries(lists).flatMap(([name, key]) => {
      const ids = settings[name as keyof typeof lists];
      return ids === undefined || ids.size === 0
        ? []
        : [[prefix + key, "int32[]", Int32Array.from(ids)] as const];
    }),
  ];
}

/** @throws BitNetError MODEL_INVALID for a value of another type. */
export function readSettings(metadata: Metadata): TextSettings {
  const flag = (key: string): boolean => {
    const value = metadata.get(prefix + key) ?? false;
    if (typeof value === "boolean") return value;
    throw invalid(key, "is no flag");
  };
  const ids = (key: string): ReadonlySet<number> => {
    const value = metadata.get(prefix + key) ?? [];
    if (ArrayBuffer.isView(value)) return new Set(Array.from(value, Number));
    if (Array.isArray(value) && value.length === 0) return new Set();
    throw invalid(key, "is no list of token ids");
  };
  const prepend = metadata.get(`${prefix}prepend`);
  if (prepend !== undefined && !schemes.includes(prepend))
    throw invalid("prepend", "is none of never, first, always");
  return {
    nfc: flag(flags.nfc),
    prepend: prepend as TextSettings["prepend"],
    splitsMarks: flag(flags.splitsMarks),
    exact: flag(flags.exact),
    stripsLeft: ids(lists.stripsLeft),
    stripsRight: ids(lists.stripsRight),
    singleWord: ids(lists.singleWord),
    normalized: ids(lists.normalized),
    merged: ids(lists.merged),
  };
}

function invalid(key: string, problem: string): BitNetError {
  return new BitNetError("MODEL_INVALID", `Cannot build the tokenizer: ${prefix}${key} ${problem}`, {
    details: { key: prefix + key },
  });
}
