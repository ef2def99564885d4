import { describe, expect, it } from "vitest";
import { openCheckpoint } from "#dist/checkpoints/open-checkpoint.js";
import type { ModelFile } from "#dist/files/model-file.js";
import { memoryFolder } from "#dist/platform/memory-source.js";
import { makeCheckpoint, readGolden } from "../conformance/transformers-checkpoint.js";

// BitNet-embedding as Microsoft's converter reads it. Its vectors are in conformance/transformers.test.ts.

const golden = makeCheckpoint(readGolden("embedding-qwen3"));
const pooling = "1_Pooling/config.json";

type Content = Record<string, unknown> | readonly unknown[] | undefined;

/** Opens the checkpoint with other JSON files; undefined removes one. */
function open(changes: Readonly<Record<string, Content>>): Promise<ModelFile> {
  const files = new Map(golden);
  for (const [name, content] of Object.entries(changes)) {
    if (content === undefined) files.delete(name);
    else files.set(name, new TextEncoder().encode(JSON.stringify(content)));
  }
  return openCheckpoint(memoryFolder(files));
}

function contentOf(name: string): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(golden.get(name))) as Record<string, unknown>;
}

describe("pooling of a checkpoint", () => {
  it.each<[string, Readonly<Record<string, Content>>, number | undefined]>([
    ["the last token by its flag", {}, 3],
    ["the mean by its flag", { [pooling]: { pooling_mode_mean_tokens: true } }, 1],
    ["the first token by its flag", { [pooling]: { pooling_mode_cls_token: true } }, 2],
    ["a mode by its name", { [pooling]: { pooling_mode: "lasttoken" } }, 3],
    ["nothing without modules.json", { "modules.json": undefined }, undefined],
    ["nothing without such a module", { "modules.json": [{ type: "a.b.Transformer", path: "" }] }, undefined],
  ])("is %s", async (_, changes, expected) => {
    expect((await open(changes)).metadata.get("qwen3.pooling_type")).toBe(expected);
  });

  it.each<[string, Readonly<Record<string, Content>>, RegExp]>([
    ["another mode", { [pooling]: { pooling_mode_max_tokens: true } }, /pooling by "max"/],
    [
      "two modes",
      { [pooling]: { pooling_mode_mean_tokens: true, pooling_mode_max_tokens: true } },
      /by "mean and max"/,
    ],
    ["no mode", { [pooling]: { pooling_mode_mean_tokens: false } }, /pooling by ""/],
    [
      "a mean without the prompt",
      { [pooling]: { pooling_mode_mean_tokens: true, include_prompt: false } },
      /without the prompt/,
    ],
    ["a missing configuration", { [pooling]: undefined }, /no "1_Pooling\/config.json"/],
    [
      "a step that is not computed",
      { "modules.json": [{ type: "sentence_transformers.models.Dense", path: "2_Dense" }] },
      /modules\.json\[0\].*"Dense"/,
    ],
    ["a modules.json that is no list", { "modules.json": {} }, /not a JSON list/],
    [
      "a path out of the folder",
      { "modules.json": [{ type: "Pooling", path: "../x" }] },
      /no "\.\.\/x\/config/,
    ],
  ])("refuses %s", async (_, changes, words) => {
    await expect(open(changes)).rejects.toThrow(words);
  });
});

describe("projections with a norm of their own", () => {
  it.each<[string, unknown]>([
    ["is missing", null],
    ["says online", { quant_method: "bitnet", linear_class: "autobitlinear", quantization_mode: "online" }],
    ["says packed", { quant_method: "bitnet" }],
    ["leaves them out", { quant_method: "bitnet", modules_to_not_convert: ["self_attn", "mlp"] }],
  ])("are ternary where quantization_config %s", async (_, quantization) => {
    const config = { ...contentOf("config.json"), quantization_config: quantization };
    const { tensors } = await open({ "config.json": config });
    const matrices = [...tensors.values()].filter(({ name }) =>
      /attn_(q|k|v|output)\.|ffn_\w+\.w/.test(name),
    );
    const types = matrices.filter(({ shape }) => shape.length === 2).map(({ type }) => type);
    expect(types).toEqual(Array<string>(14).fill("I2_S"));
    expect([...tensors.keys()].filter((name) => name.endsWith("_norm_in.weight"))).toHaveLength(14);
  });
});
