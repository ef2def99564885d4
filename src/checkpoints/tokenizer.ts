import { BitNetError } from "../errors.js";
import type { Folder } from "../platform/folder.js";
import { type Config, isObject, readConfig, readText } from "./config.js";
import type { MetadataEntry } from "./metadata-list.js";
import { readTokenizerJson } from "./tokenizer-json.js";

/** The largest published tokenizer.json has 34 MB. */
const maxTokenizerBytes = 256 * 2 ** 20;
const maxConfigBytes = 64 * 2 ** 20;
const maxTemplateBytes = 4 * 2 ** 20;

/**
 * The tokenizer of a checkpoint as metadata. Tables come from tokenizer.json. The rest comes from
 * tokenizer_config.json, special_tokens_map.json, generation_config.json, config.json and the chat template.
 *
 * @param vocabSize Rows of the embedding.
 * @throws BitNetError FILE_NOT_FOUND without tokenizer.json; UNSUPPORTED_TOKENIZER, MODEL_INVALID,
 *   FILE_CORRUPT.
 */
export async function readTokenizer(
  folder: Folder,
  config: Config,
  vocabSize: number,
): Promise<readonly MetadataEntry[]> {
  const tokenizer = await readConfig(folder, "tokenizer.json", maxTokenizerBytes);
  if (tokenizer === undefined) throw noTokenizer(folder);
  const { entries, idOf, template: around } = readTokenizerJson(tokenizer, vocabSize);
  const isPieces = entries.some(([key, , value]) => key === "tokenizer.ggml.model" && value === "llama");

  const settings = await readConfig(folder, "tokenizer_config.json", maxConfigBytes);
  const specials = await readConfig(folder, "special_tokens_map.json", maxConfigBytes);
  const generation = await readConfig(folder, "generation_config.json", maxConfigBytes);
  /** The id of a special token: by its spelling, as tokenizers find it, else by config.json's number. */
  const idOfRole = (role: "bos" | "eos" | "unk" | "pad"): number | undefined => {
    for (const file of [settings, specials]) {
      const spelling = spellingOf(file?.get(`${role}_token`));
      const id = spelling === undefined ? undefined : idOf(spelling);
      if (id !== undefined) return id;
    }
    return idsIn(config, `${role}_token_id`, vocabSize)[0];
  };
  const setting = (key: string): boolean | undefined =>
    ignoresSettings.test(String(settings?.get("tokenizer_class"))) ? undefined : flagOf(settings, key);
  // A setting of the tokenizer's class wins over the template, which the class writes by it.
  const addBos = setting("add_bos_token") ?? (around ? around.before !== undefined : isPieces);
  const addEos = setting("add_eos_token") ?? around?.after !== undefined;
  // Qwen3-Embedding ends texts with another token than its eos_token. The template's tokens come first, as in
  // its GGUF files.
  const [bosOfRole, eosOfRole] = [idOfRole("bos"), idOfRole("eos")];
  const bos = (addBos ? around?.before : undefined) ?? bosOfRole;
  const eos = (addEos ? around?.after : undefined) ?? eosOfRole;
  const ends = [config, generation].flatMap((file) => (file ? idsIn(file, "eos_token_id", vocabSize) : []));
  if (eosOfRole !== undefined) ends.unshift(eosOfRole);
  const [eot, eom] = new Set(ends.filter((id) => id !== eos));

  const list: MetadataEntry[] = [...entries];
  const add = (name: string, id: number | undefined): void => {
    if (id !== undefined) list.push([`tokenizer.ggml.${name}_token_id`, "uint32", id]);
  };
  add("bos", bos);
  add("eos", eos);
  add("eot", eot);
  add("eom", eom);
  add("unknown", idOfRole("unk"));
  add("padding", idOfRole("pad"));
  list.push(["tokenizer.ggml.add_bos_token", "bool", addBos && bos !== undefined]);
  list.push(["tokenizer.ggml.add_eos_token", "bool", addEos && eos !== undefined]);
  const template = await readChatTemplate(folder, settings);
  if (template !== undefined) list.push(["tokenizer.chat_template", "string", template]);
  return list;
}

/** Classes of tokenizers that read neither add_bos_token nor add_eos_token. */
const ignoresSettings = /^(PreTrainedTokenizer|Qwen2Tokenizer)(Fast)?$/;

/** A token as it is spelt in settings: a text, or an object that has it. */
function spellingOf(value: unknown): string | undefined {
  const content = isObject(value) && Object.hasOwn(value, "content") ? value.content : value;
  return typeof content === "string" ? content : undefined;
}

function flagOf(config: Config | undefined, key: string): boolean | undefined {
  return config?.has(key) ? config.flag(key, { default: false }) : undefined;
}

/** One id or a list of ids. In some files a negative number means no id. */
function idsIn(config: Config, key: string, vocabSize: number): readonly number[] {
  const value = config.get(key) ?? [];
  const ids: readonly unknown[] = Array.isArray(value) ? value : [value];
  return ids.flatMap((id): readonly number[] => {
    if (typeof id === "number" && Number.isInteger(id) && id < vocabSize) return id < 0 ? [] : [id];
    throw config.wrong(key, `ids of tokens, below ${vocabSize}`);
  });
}

/**
 * The template for conversations: a separate file in newer checkpoints, a setting of the tokenizer in older
 * ones.
 */
async function readChatTemplate(folder: Folder, settings: Config | undefined): Promise<string | undefined> {
  const jinja = await readText(folder, "chat_template.jinja", maxTemplateBytes);
  if (jinja !== undefined) return jinja;
  const stored = settings?.get("chat_template");
  // Some have several, for tools and documents. The one for plain conversations is called "default".
  const named = Array.isArray(stored)
    ? (stored as readonly unknown[]).find((entry) => isObject(entry) && entry.name === "default")
    : undefined;
  const template = isObject(named) ? named.template : stored;
  if (typeof template === "string") return template;
  const file = await readConfig(folder, "chat_template.json", maxTemplateBytes);
  return file?.has("chat_template") ? file.text("chat_template") : undefined;
}

function noTokenizer(folder: Folder): BitNetError {
  const why = folder.files.has("tokenizer.model")
    ? "it has tokenizer.model only, which is not read; save tokenizer.json with transformers' AutoTokenizer"
    : "it has no tokenizer.json";
  return new BitNetError("FILE_NOT_FOUND", `Cannot open "${folder.name}" as a checkpoint: ${why}`, {
    details: { path: folder.name },
  });
}
