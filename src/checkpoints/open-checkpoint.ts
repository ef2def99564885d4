import { BitNetError, throwIfAborted } from "../errors.js";
import { fileTypeOf } from "../files/file-types.js";
import type { ModelFile, TensorInfo } from "../files/model-file.js";
import { openSafetensorsSet } from "../files/safetensors-shards.js";
import type { Folder } from "../platform/folder.js";
import { type Config, readConfig } from "./config.js";
import { type CheckpointFamily, checkpointFamilies } from "./families/index.js";
import { withHalfTables } from "./half-tensor.js";
import { metadataMaps, type MetadataEntry } from "./metadata-list.js";
import { planQuantization } from "./quantization.js";
import { readPooling } from "./pooling.js";
import { planRope } from "./rope.js";
import { readSampling } from "./sampling.js";
import { computedTensor, placeTensors } from "./tensors.js";
import { readTokenizer } from "./tokenizer.js";

const maxConfigBytes = 4 * 2 ** 20;
/** Far above any published model. */
const maxHeadSize = 65_536;

/** Sizes that config.json has, and GGUF's keys for them under the architecture's name. */
const sizeKeys = [
  ["vocab_size", "vocab_size"],
  ["context_length", "max_position_embeddings"],
  ["embedding_length", "hidden_size"],
  ["block_count", "num_hidden_layers"],
  ["feed_forward_length", "intermediate_size"],
  ["attention.head_count", "num_attention_heads"],
] as const;

export interface CheckpointOptions {
  /** Keep the stored types of embedding and head, for a caller that converts them. */
  readonly storedTables?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a checkpoint in the form of the Hugging Face hub: config.json, tokenizer.json and safetensors files.
 * The result looks like the model's GGUF file: its names, keys, row orders and types. Tensors with other
 * bytes are computed when they are read. Opening reads no weights.
 *
 * @param folder its files stay open until the result's `source` is closed
 * @throws BitNetError FILE_NOT_FOUND if one of the files is missing; UNSUPPORTED_FILE for an adapter;
 *   FILE_CORRUPT, MODEL_INVALID, UNSUPPORTED_ARCHITECTURE, UNSUPPORTED_TENSOR_TYPE, UNSUPPORTED_TOKENIZER;
 *   the signal's reason.
 */
export async function openCheckpoint(folder: Folder, options: CheckpointOptions = {}): Promise<ModelFile> {
  if (folder.files.has("adapter_config.json")) throw await adapter(folder);
  const config = await readConfig(folder, "config.json", maxConfigBytes);
  if (config === undefined) throw notACheckpoint(folder);
  const family = findFamily(config);
  const stored = await openSafetensorsSet(folder, options);
  try {
    const heads = config.count("num_attention_heads");
    const headSize = config.count("head_dim", family.headSize ?? sizeOfHeads(config, heads));
    // Tables of this size are made before the tensors confirm it.
    if (headSize > maxHeadSize) throw config.wrong("head_dim", `at most ${maxHeadSize}`);
    const rope = planRope(config, headSize, family.ropeBase ?? 10_000);
    const tensors = placeTensors(stored.tensors, {
      config,
      family,
      quantization: planQuantization(config, family.ternary === true),
      headSize,
      tied: config.flag("tie_word_embeddings", { default: family.tied }),
    });
    const computed = rope.tensors.map(([name, divisors]) => computedTensor(name, divisors));
    const placed = options.storedTables === true ? tensors : withHalfTables(tensors);
    const all = new Map([...placed, ...computed.map((tensor) => [tensor.name, tensor] as const)]);
    throwIfAborted(options.signal);
    const tokenizer = await readTokenizer(folder, config, config.count("vocab_size"));
    throwIfAborted(options.signal);
    const sampling = await readSampling(folder);
    const pooling = await readPooling(folder);
    const { metadata, metadataTypes } = metadataMaps([
      ...generalEntries(folder, family, all),
      ...modelEntries(config, family, headSize, [...rope.entries, ...pooling]),
      ...tokenizer,
      ...sampling,
    ]);
    return {
      container: "checkpoint",
      version: 0,
      source: {
        name: folder.name,
        size: stored.sources.reduce((sum, source) => sum + source.size, 0),
        close: () => stored.close(),
      },
      metadata,
      metadataTypes,
      tensors: all,
    };
  } catch (error) {
    await stored.close();
    throw error;
  }
}

function findFamily(config: Config): CheckpointFamily {
  const classes = config.list("architectures");
  const family = checkpointFamilies.find((candidate) =>
    candidate.classes.some((name) => classes.includes(name)),
  );
  if (family === undefined) {
    const known = checkpointFamilies.flatMap((candidate) => candidate.classes).join(", ");
    throw config.unsupported(
      "UNSUPPORTED_ARCHITECTURE",
      `"architectures" is ${JSON.stringify(classes).slice(0, 100)}, and none of these has a graph here (there are: ${known})`,
      { architectures: classes },
    );
  }
  const key = config.has("hidden_act") ? "hidden_act" : "hidden_activation";
  const activation = config.text(key);
  if (family.activations.includes(activation)) return family;
  throw config.unsupported(
    "UNSUPPORTED_ARCHITECTURE",
    `"${key}" is ${JSON.stringify(activation.slice(0, 40))}, and models of ${family.classes[0] ?? ""} have ${family.activations.join(" or ")} here`,
    { activation: activation.slice(0, 40) },
  );
}

function sizeOfHeads(config: Config, heads: number): number {
  const width = config.count("hidden_size");
  if (heads > 0 && width % heads === 0) return width / heads;
  throw config.wrong("num_attention_heads", `a divisor of hidden_size ${width}, as there is no head_dim`);
}

function generalEntries(
  folder: Folder,
  family: CheckpointFamily,
  tensors: ReadonlyMap<string, TensorInfo>,
): readonly MetadataEntry[] {
  // By numbers, not by bytes: I2_S holds most of the numbers in few bytes.
  const elements = new Map<string, number>();
  for (const { type, shape } of tensors.values()) {
    const count = shape.reduce((product, size) => product * size, 1);
    elements.set(type, (elements.get(type) ?? 0) + count);
  }
  const [main] = [...elements].sort(([, a], [, b]) => b - a)[0] ?? ["F32"];
  const fileType = fileTypeOf(main);
  return [
    ["general.architecture", "string", family.architecture],
    ["general.name", "string", checkpointName(folder.name)],
    ...(fileType === undefined ? [] : ([["general.file_type", "uint32", fileType]] as const)),
    ["general.quantization_version", "uint32", 2],
  ];
}

/** The folder's name. In the hub's cache, folders are named by a hash, so the repository's name. */
function checkpointName(path: string): string {
  const parts = path.split(/[/\\]/).filter((part) => part !== "" && part !== ".");
  const last = parts.at(-1) ?? "";
  const repository = parts.at(-3)?.split("--").at(-1);
  return parts.at(-2) === "snapshots" && repository !== undefined ? repository : last;
}

function modelEntries(
  config: Config,
  family: CheckpointFamily,
  headSize: number,
  found: readonly MetadataEntry[],
): readonly MetadataEntry[] {
  const heads = config.count("num_attention_heads");
  const own: readonly MetadataEntry[] = [
    ...sizeKeys.map(([key, from]): MetadataEntry => [key, "uint32", config.count(from)]),
    ["attention.head_count_kv", "uint32", config.count("num_key_value_heads", heads)],
    ["attention.key_length", "uint32", headSize],
    ["attention.value_length", "uint32", headSize],
    ["attention.layer_norm_rms_epsilon", "float32", config.positive("rms_norm_eps")],
    ...found,
    ...(family.ownKeys?.(config) ?? []),
  ];
  return own.map(([key, type, value]) => [`${family.architecture}.${key}`, type, value]);
}

/** The error for a fine-tuned difference (PEFT), which transformers adds to a base model. */
async function adapter(folder: Folder): Promise<BitNetError> {
  const config = await readConfig(folder, "adapter_config.json", maxConfigBytes);
  const base = config?.has("base_model_name_or_path") ? config.text("base_model_name_or_path") : undefined;
  const of = base === undefined ? "" : ` of ${JSON.stringify(base.slice(0, 100))}`;
  return new BitNetError(
    "UNSUPPORTED_FILE",
    `Cannot open "${folder.name}" as a checkpoint: it has an adapter${of} (adapter_config.json), which is not added here; merge it into its base model and save that`,
    { details: { path: folder.name } },
  );
}

function notACheckpoint(folder: Folder): BitNetError {
  const models = [...folder.files].filter((file) => file.endsWith(".gguf"));
  const why =
    models.length > 0
      ? `it has no config.json; name one of its GGUF files, such as "${models[0] ?? ""}"`
      : "it has no config.json";
  return new BitNetError(
    "FILE_NOT_FOUND",
    `Cannot open the folder "${folder.name}" as a checkpoint: ${why}`,
    {
      details: { path: folder.name },
    },
  );
}
