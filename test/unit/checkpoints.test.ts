import { beforeAll, describe, expect, it } from "vitest";
import { describeModel } from "#dist/architectures/index.js";
import { openCheckpoint } from "#dist/checkpoints/open-checkpoint.js";
import { BitNetError } from "#dist/index.js";
import type { ModelFile } from "#dist/files/model-file.js";
import { memoryFolder } from "#dist/platform/memory-source.js";
import { createTokenizer } from "#dist/text/tokenizer.js";
import { type CheckpointParts, exportCheckpoint, writeCheckpoint } from "../support/checkpoint-export.js";
import { starterPath } from "../support/golden-path.js";
import { rewriteModel } from "../support/rewritten-model.js";

/** Parts of two checkpoints of the storyteller's first layer. Tests copy them and never change them. */
let packed: CheckpointParts;
let masters: CheckpointParts;

beforeAll(async () => {
  const gguf = await rewriteModel(starterPath, ({ metadata, tensors }) => {
    metadata.set("bitnet-b1.58.block_count", { type: "uint32", value: 1 });
    for (const name of [...tensors.keys()]) if (/^blk\.[1-9]/.test(name)) tensors.delete(name);
  });
  await exportCheckpoint(gguf, { storage: { kind: "multiply", dtype: "F32" } }, (parts) => (packed = parts));
  await exportCheckpoint(gguf, { storage: { kind: "masters", dtype: "BF16" } }, (parts) => (masters = parts));
});

type Parts = CheckpointParts & { readonly config: Record<string, unknown> };
type Change = (parts: Parts) => void;
const q = "model.layers.0.self_attn.q_proj.weight";

function copyOf({ tensors, config, tokenizer }: CheckpointParts): Parts {
  return { tensors: new Map(tensors), config: { ...config }, tokenizer: structuredClone(tokenizer) };
}
function open(parts: CheckpointParts, more: Readonly<Record<string, string>> = {}): Promise<ModelFile> {
  const files = writeCheckpoint(parts);
  for (const [name, text] of Object.entries(more)) files.set(name, new TextEncoder().encode(text));
  return openCheckpoint(memoryFolder(files));
}
/** Opens, describes and reads all weights, like the loader. */
async function use(parts: CheckpointParts, more?: Readonly<Record<string, string>>): Promise<ModelFile> {
  const file = await open(parts, more);
  describeModel(file);
  createTokenizer(file.metadata);
  for (const { source, offset, bytes } of file.tensors.values()) await source.read(offset, bytes);
  return file;
}
async function refusal(
  parts: CheckpointParts,
  more?: Readonly<Record<string, string>>,
): Promise<BitNetError> {
  const error: unknown = await use(parts, more).catch((reason: unknown) => reason);
  if (error instanceof BitNetError) return error;
  throw new Error(`expected a refusal, got ${String(error)}`);
}
const quantized =
  (change: Readonly<Record<string, unknown>>): Change =>
  ({ config }) => {
    config.quantization_config = { ...(config.quantization_config as object), ...change };
  };
const configured =
  (change: Readonly<Record<string, unknown>>): Change =>
  ({ config }) =>
    void Object.assign(config, change);
const tensor =
  (name: string, dtype: string, shape: readonly number[], data: Uint8Array): Change =>
  ({ tensors }) =>
    void tensors.set(name, { dtype, shape, data });
const float = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer);

describe("openCheckpoint", () => {
  it("opens both checkpoints unchanged", async () => {
    for (const parts of [packed, masters]) {
      const file = await use(copyOf(parts));
      expect(file.container).toBe("checkpoint");
      expect(file.metadata.get("general.file_type")).toBe(1);
    }
    const generation = { "generation_config.json": '{"do_sample":true,"top_k":7}' };
    expect((await use(copyOf(packed), generation)).metadata.get("general.sampling.top_k")).toBe(7);
  });

  it.each<[string, string, RegExp, Change]>([
    [
      "another model class",
      "UNSUPPORTED_ARCHITECTURE",
      /MambaForCausalLM/,
      configured({ architectures: ["MambaForCausalLM"] }),
    ],
    ["no model class", "UNSUPPORTED_ARCHITECTURE", /architectures/, configured({ architectures: null })],
    [
      "a class that is no list",
      "MODEL_INVALID",
      /expected a list/,
      configured({ architectures: "BitNetForCausalLM" }),
    ],
    [
      "a class named like a prototype",
      "UNSUPPORTED_ARCHITECTURE",
      /toString/,
      configured({ architectures: ["toString"] }),
    ],
    ["another activation", "UNSUPPORTED_ARCHITECTURE", /silu/, configured({ hidden_act: "silu" })],
    ["no width", "MODEL_INVALID", /hidden_size/, configured({ hidden_size: null })],
    [
      "a width that tensors contradict",
      "MODEL_INVALID",
      /metadata says/,
      configured({ hidden_size: 512, head_dim: 64 }),
    ],
    ["a width with a fraction", "MODEL_INVALID", /whole number/, configured({ hidden_size: 256.5 })],
    ["a width beyond 32 bits", "MODEL_INVALID", /whole number/, configured({ hidden_size: 2 ** 40 })],
    ["a width in words", "MODEL_INVALID", /whole number/, configured({ hidden_size: "256" })],
    ["more layers than tensors", "MODEL_INVALID", /blk\.1\./, configured({ num_hidden_layers: 2 })],
    ["no layers", "MODEL_INVALID", /block_count/, configured({ num_hidden_layers: 0 })],
    ["no heads", "MODEL_INVALID", /head/, configured({ num_attention_heads: 0, head_dim: null })],
    [
      "heads that do not share the width",
      "MODEL_INVALID",
      /divisor/,
      configured({ num_attention_heads: 7, head_dim: null }),
    ],
    ["another head size", "MODEL_INVALID", /metadata says/, configured({ head_dim: 128 })],
    ["a negative epsilon", "MODEL_INVALID", /rms_norm_eps/, configured({ rms_norm_eps: -1 })],
    ["an epsilon below floats", "MODEL_INVALID", /rms_norm_eps/, configured({ rms_norm_eps: 1e-60 })],
    [
      "an unknown rotary scaling",
      "UNSUPPORTED_ARCHITECTURE",
      /spiral/,
      configured({ rope_scaling: { type: "spiral" } }),
    ],
    [
      "a rotary scaling without its factor",
      "MODEL_INVALID",
      /factor/,
      configured({ rope_scaling: { type: "linear" } }),
    ],
    [
      "a rotary scaling named like a prototype",
      "UNSUPPORTED_ARCHITECTURE",
      /constructor/,
      configured({ rope_scaling: { type: "constructor" } }),
    ],
    ["a rotary scaling that is a list", "MODEL_INVALID", /an object/, configured({ rope_scaling: [] })],
    [
      "heads that turn in part",
      "UNSUPPORTED_ARCHITECTURE",
      /partial/,
      configured({ partial_rotary_factor: 0.5 }),
    ],
    ["no output head", "MODEL_INVALID", /lm_head/, configured({ tie_word_embeddings: false })],
    ["a vocabulary smaller than its tokens", "MODEL_INVALID", /vocab_size/, configured({ vocab_size: 4000 })],
    [
      "a vocabulary larger than its embedding",
      "MODEL_INVALID",
      /token_embd/,
      configured({ vocab_size: 5000 }),
    ],
    ["an end that is no token", "MODEL_INVALID", /eos_token_id/, configured({ eos_token_id: 4096 })],
    [
      "weights quantized by another method",
      "UNSUPPORTED_TENSOR_TYPE",
      /gptq/,
      quantized({ quant_method: "gptq" }),
    ],
    ["no method", "MODEL_INVALID", /quant_method/, quantized({ quant_method: null })],
    ["an unknown linear class", "MODEL_INVALID", /linear_class/, quantized({ linear_class: "constructor" })],
    ["an unknown mode", "MODEL_INVALID", /quantization_mode/, quantized({ quantization_mode: "sometimes" })],
    [
      "packed weights that should be masters",
      "MODEL_INVALID",
      /online.*dtype U8|online.*weight_scale/,
      quantized({ quantization_mode: "online" }),
    ],
    [
      "packed weights that nothing speaks of",
      "MODEL_INVALID",
      /no quantization_config/,
      configured({ quantization_config: null }),
    ],
    [
      "packed weights that should be left as they are",
      "MODEL_INVALID",
      /leaves/,
      quantized({ modules_to_not_convert: ["q_proj"] }),
    ],
    [
      "norms before projections by another epsilon",
      "UNSUPPORTED_ARCHITECTURE",
      /epsilon of 0\.00000100000/,
      quantized({ use_rms_norm: true }),
    ],
    [
      "modules that are no names",
      "MODEL_INVALID",
      /modules_to_not_convert/,
      quantized({ modules_to_not_convert: [1] }),
    ],
    [
      "packed weights without a scale",
      "MODEL_INVALID",
      /weight_scale/,
      ({ tensors }) => tensors.delete(`${q}_scale`),
    ],
    [
      "a scale without weights",
      "MODEL_INVALID",
      /without the weights/,
      tensor("model.layers.0.mlp.odd_proj.weight_scale", "F32", [1], float(1)),
    ],
    ["two scales", "MODEL_INVALID", /one float/, tensor(`${q}_scale`, "F32", [2], new Uint8Array(8))],
    ["a scale in integers", "MODEL_INVALID", /one float/, tensor(`${q}_scale`, "I32", [1], float(1))],
    ["a scale of zero", "MODEL_INVALID", /no scale/, tensor(`${q}_scale`, "F32", [1], float(0))],
    ["a negative scale", "MODEL_INVALID", /no scale/, tensor(`${q}_scale`, "F32", [], float(-1))],
    ["a scale that is no number", "MODEL_INVALID", /no scale/, tensor(`${q}_scale`, "F32", [1], float(NaN))],
    [
      "packed weights of another shape",
      "MODEL_INVALID",
      /metadata says/,
      tensor(q, "U8", [32, 256], new Uint8Array(8192)),
    ],
    [
      "packed weights that are a vector",
      "MODEL_INVALID",
      /should be a matrix/,
      tensor(q, "U8", [16384], new Uint8Array(16384)),
    ],
    [
      "a packed matrix of no rows",
      "MODEL_INVALID",
      /should be a matrix/,
      tensor(q, "U8", [0, 256], new Uint8Array(0)),
    ],
    [
      "an unknown tensor",
      "UNSUPPORTED_ARCHITECTURE",
      /mlp\.router/,
      tensor("model.layers.0.mlp.router.weight", "F32", [1], float(1)),
    ],
    [
      "a tensor named like a prototype",
      "UNSUPPORTED_ARCHITECTURE",
      /__proto__/,
      tensor("model.layers.0.__proto__.weight", "F32", [1], float(1)),
    ],
    [
      "a layer that is no number",
      "UNSUPPORTED_ARCHITECTURE",
      /layers\.01/,
      tensor("model.layers.01.input_layernorm.weight", "F32", [1], float(1)),
    ],
    ["one tensor by two names", "MODEL_INVALID", /two tensors/, tensor("norm.weight", "F32", [1], float(1))],
    [
      "a bias",
      "UNSUPPORTED_ARCHITECTURE",
      /attn_q\.bias/,
      tensor("model.layers.0.self_attn.q_proj.bias", "F32", [1], float(1)),
    ],
    [
      "norms in integers",
      "UNSUPPORTED_TENSOR_TYPE",
      /I64/,
      tensor("model.norm.weight", "I64", [256], new Uint8Array(2048)),
    ],
    [
      "a missing tensor",
      "MODEL_INVALID",
      /output_norm/,
      ({ tensors }) => tensors.delete("model.norm.weight"),
    ],
    [
      "a missing embedding",
      "MODEL_INVALID",
      /token_embd/,
      ({ tensors }) => tensors.delete("model.embed_tokens.weight"),
    ],
    [
      "no tokenizer",
      "FILE_NOT_FOUND",
      /tokenizer\.json/,
      ({ tokenizer }) => delete tokenizer["tokenizer.json"],
    ],
  ])("refuses packed weights with %s", async (_, code, words, change) => {
    const parts = copyOf(packed);
    change(parts);
    const error = await refusal(parts);
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(words)]);
  });

  it.each<[string, string, RegExp, Change]>([
    [
      "masters that should be packed",
      "MODEL_INVALID",
      /offline.*BF16/,
      quantized({ quantization_mode: "offline" }),
    ],
    [
      "masters for a class that has packed weights only",
      "MODEL_INVALID",
      /bitlinear.*BF16/,
      quantized({ linear_class: "bitlinear" }),
    ],
    ["masters with a scale", "MODEL_INVALID", /weight_scale/, tensor(`${q}_scale`, "F32", [1], float(1))],
    ["masters in integers", "MODEL_INVALID", /I8/, tensor(q, "I8", [256, 256], new Uint8Array(65536))],
  ])("refuses masters with %s", async (_, code, words, change) => {
    const parts = copyOf(masters);
    change(parts);
    const error = await refusal(parts);
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(words)]);
  });

  it.each<[string, Record<string, string>, string, RegExp]>([
    ["a config.json that is no JSON", { "config.json": "{" }, "FILE_CORRUPT", /not JSON/],
    ["a NaN in a broken config.json", { "config.json": '{"a":NaN' }, "FILE_CORRUPT", /not JSON/],
    [
      "an adapter",
      { "adapter_config.json": '{"base_model_name_or_path":"a/b"}' },
      "UNSUPPORTED_FILE",
      /adapter of "a\/b".*merge it/,
    ],
    ["a config.json that is a list", { "config.json": "[]" }, "FILE_CORRUPT", /not a JSON object/],
    ["a tokenizer.json that is no JSON", { "tokenizer.json": "<html>" }, "FILE_CORRUPT", /not JSON/],
    ["a tokenizer_config.json that is a text", { "tokenizer_config.json": '"x"' }, "FILE_CORRUPT", /object/],
    [
      "ends that are no ids",
      { "generation_config.json": '{"eos_token_id":["</s>"]}' },
      "MODEL_INVALID",
      /ids/,
    ],
    [
      "a temperature that is no number",
      { "generation_config.json": '{"do_sample":true,"temperature":"warm"}' },
      "MODEL_INVALID",
      /temperature/,
    ],
  ])("refuses %s", async (_, files, code, words) => {
    const error = await refusal(copyOf(packed), files);
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(words)]);
  });

  it("names the byte of a packed code 3 and of a master that is NaN", async () => {
    const damagedPacked = copyOf(packed);
    const { data, ...rest } = damagedPacked.tensors.get(q) ?? expect.fail("no q");
    const damaged = new Uint8Array(data);
    damaged[777] = 0b00_11_00_00;
    damagedPacked.tensors.set(q, { ...rest, data: damaged });
    const file = writeCheckpoint(damagedPacked).get("model.safetensors") ?? expect.fail("no file");
    const damagedOffset = Buffer.from(file).indexOf(damaged);
    expect(damagedOffset).toBeGreaterThan(0);
    expect(await refusal(damagedPacked)).toMatchObject({
      code: "FILE_CORRUPT",
      details: { offset: damagedOffset + 777, tensor: q },
    });

    const damagedMasters = copyOf(masters);
    const master = damagedMasters.tensors.get(q) ?? expect.fail("no q");
    const floats = new Uint8Array(master.data);
    floats.set([0xc0, 0x7f], 2 * 31_337);
    damagedMasters.tensors.set(q, { ...master, data: floats });
    const masterFile = writeCheckpoint(damagedMasters).get("model.safetensors") ?? expect.fail("no file");
    expect(await refusal(damagedMasters)).toMatchObject({
      code: "FILE_CORRUPT",
      details: { offset: Buffer.from(masterFile).indexOf(floats) + 2 * 31_337, tensor: q },
    });
  });

  it("reads NaN and Infinity as Python writes them, and refuses them where a number is needed", async () => {
    const config = (more: string): Record<string, string> => ({
      "config.json": JSON.stringify(packed.config).replace(/\}$/, `,${more}}`),
    });
    const text = String.raw`"a \\" NaN, Infinity \\\\"`.replaceAll("\\\\", "\\");
    await use(copyOf(packed), config(`"unknown":[NaN,-Infinity],"note":${text}`));
    for (const value of ["NaN", "Infinity", "-Infinity"]) {
      const error = await refusal(copyOf(packed), config(`"rms_norm_eps":${value}`));
      expect(error.message).toContain(`"rms_norm_eps" is ${value}, expected a positive number`);
    }
  });

  it("uses the last of equal keys in config.json, as in published files", async () => {
    const config = JSON.stringify(packed.config).replace(/\}$/, ',"quantization_config":');
    const last = JSON.stringify(packed.config.quantization_config);
    await use(copyOf(packed), {
      "config.json": `${config}{"quant_method":"gptq"},"quantization_config":${last}}`,
    });
    const error = await refusal(copyOf(packed), { "config.json": `${config}{"quant_method":"gptq"}}` });
    expect(error.code).toBe("UNSUPPORTED_TENSOR_TYPE");
  });

  it("omits a tied head, even if the file stores one, and tables of frequencies", async () => {
    const parts = copyOf(packed);
    tensor("lm_head.weight", "F32", [1], float(1))(parts);
    tensor("model.layers.0.self_attn.rotary_emb.inv_freq", "F32", [1], float(1))(parts);
    const file = await use(parts);
    expect([...file.tensors.keys()].filter((name) => /^output\.weight|inv_freq/.test(name))).toEqual([]);
  });

  it("accepts base models' names, which have no prefix", async () => {
    const parts = copyOf(packed);
    for (const [name, stored] of [...parts.tensors]) {
      parts.tensors.delete(name);
      parts.tensors.set(name.replace(/^model\./, ""), stored);
    }
    expect([...(await use(parts)).tensors.keys()]).toEqual([...(await use(copyOf(packed))).tensors.keys()]);
  });

  it("has ternary weights without a quantization_config if the class implies them", async () => {
    const parts = copyOf(masters);
    parts.config.quantization_config = null;
    const file = await use(parts);
    expect(file.tensors.get("blk.0.attn_q.weight")?.type).toBe("I2_S");
  });

  it("leaves modules as they are that quantization_config names", async () => {
    const parts = copyOf(masters);
    quantized({ modules_to_not_convert: ["mlp"] })(parts);
    const { tensors } = await use(parts);
    expect(tensors.get("blk.0.ffn_up.weight")?.type).toBe("BF16");
    expect(tensors.get("blk.0.attn_q.weight")?.type).toBe("I2_S");
  });

  it("has ternary rows as floats if they are not a multiple of 128", async () => {
    const parts = copyOf(masters);
    const up = new Uint8Array(96 * 256 * 2).fill(0x3c);
    configured({ intermediate_size: 96 })(parts);
    tensor("model.layers.0.mlp.gate_proj.weight", "BF16", [96, 256], up)(parts);
    tensor("model.layers.0.mlp.up_proj.weight", "BF16", [96, 256], up)(parts);
    tensor("model.layers.0.mlp.down_proj.weight", "BF16", [256, 96], up)(parts);
    tensor("model.layers.0.mlp.ffn_sub_norm.weight", "BF16", [96], up.slice(0, 192))(parts);
    const down = (await use(parts)).tensors.get("blk.0.ffn_down.weight") ?? expect.fail("no down");
    expect([down.type, down.format?.ternary]).toEqual(["ternary F32", true]);
    const values = new Float32Array((await down.source.read(0, down.bytes)).buffer);
    expect(new Set(values)).toEqual(new Set([values[0]]));
    expect(values[0]).toBeCloseTo(0.011474609375, 8);
  });

  it("closes its files when it refuses", async () => {
    let open = 0;
    const inner = memoryFolder(
      writeCheckpoint({ ...packed, config: { ...packed.config, hidden_size: null } }),
    );
    const folder = {
      ...inner,
      async open(file: string) {
        const source = await inner.open(file);
        open += 1;
        return {
          ...source,
          async close() {
            open -= 1;
          },
        };
      },
    };
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: "MODEL_INVALID" });
    expect(open).toBe(0);
  });

  it("computes Llama 3.1's divisors of frequencies", async () => {
    const parts = copyOf(packed);
    const scaling = {
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    };
    configured({ rope_theta: 500000, rope_scaling: { rope_type: "llama3", ...scaling } })(parts);
    const file = await use(parts);
    const tensors = file.tensors.get("rope_freqs.weight") ?? expect.fail("no divisors");
    const divisors = new Float32Array((await tensors.source.read(tensors.offset, tensors.bytes)).buffer);
    expect(divisors.length).toBe(32);
    // The definition, as transformers computes it.
    divisors.forEach((divisor, index) => {
      const wavelength = 2 * Math.PI * 500000 ** ((2 * index) / 64);
      const smooth = (8192 / wavelength - 1) / 3;
      const expected = wavelength < 2048 ? 1 : wavelength > 8192 ? 8 : 1 / ((1 - smooth) / 8 + smooth);
      expect(Math.abs(divisor / expected - 1), String(index)).toBeLessThan(2 ** -23);
    });
    expect(new Set(divisors).size).toBeGreaterThan(3);
  });

  it("reads rope_parameters of transformers version 5", async () => {
    const parts = copyOf(packed);
    configured({
      rope_theta: null,
      rope_scaling: null,
      rope_parameters: { rope_theta: 12345, rope_type: "default" },
    })(parts);
    expect((await use(parts)).metadata.get("bitnet-b1.58.rope.freq_base")).toBe(12345);
  });

  it("calls a model in the hub's cache by its repository", async () => {
    const files = writeCheckpoint(packed);
    const names = [
      ["/models/storyteller", "storyteller"],
      ["./storyteller/", "storyteller"],
      ["/cache/models--owner--story-teller/snapshots/0123456789abcdef", "story-teller"],
    ] as const;
    for (const [folder, name] of names) {
      const file = await openCheckpoint(memoryFolder(files, folder));
      expect(file.metadata.get("general.name")).toBe(name);
    }
  });
});
