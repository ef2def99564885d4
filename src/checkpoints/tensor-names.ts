import type { CheckpointFamily } from "./families/index.js";

/** The parts of a tensor's name in a checkpoint. */
export interface TensorName {
  /** GGUF's name, "blk.3.attn_q.weight". */
  readonly gguf: string;
  /** The checkpoint's path of the module without the leading "model.": "layers.3.self_attn.q_proj". */
  readonly module: string;
  /** Its path inside the layer, or in the whole model: "self_attn.q_proj". */
  readonly part: string;
}

/** A norm of its own before a projection: in transformers' BitLinear, and in Microsoft's embedding models. */
const ownNorms: readonly string[] = ["rms_norm", "norm"];

const outside: ReadonlyMap<string, string> = new Map([
  ["embed_tokens", "token_embd"],
  ["norm", "output_norm"],
  ["lm_head", "output"],
]);

/**
 * GGUF's name for a tensor of a checkpoint. Base models, such as embedding models, omit the "model.".
 *
 * @returns undefined for a tensor that the family does not have
 */
export function nameTensor(name: string, family: CheckpointFamily): TensorName | undefined {
  const [, module, kind] = /^(?:model\.)?(.*)\.(weight|bias)$/.exec(name) ?? [];
  if (module === undefined || kind === undefined) return undefined;
  const whole = outside.get(module);
  if (whole !== undefined) return { gguf: `${whole}.${kind}`, module, part: module };

  const [, layer, path = ""] = /^layers\.(0|[1-9]\d{0,4})\.(.+)$/.exec(module) ?? [];
  if (layer === undefined) return undefined;
  const steps = path.split(".");
  const isOwnNorm = ownNorms.includes(steps.at(-1) ?? "");
  const part = isOwnNorm ? steps.slice(0, -1).join(".") : path;
  const block = family.layerParts.get(part);
  if (block === undefined) return undefined;
  return { gguf: `blk.${layer}.${block}${isOwnNorm ? "_norm_in" : ""}.${kind}`, module, part: path };
}

/** The names that the norm of a projection's own may have in a checkpoint. */
export function ownNormNames(weight: string): readonly string[] {
  return ownNorms.map((norm) => weight.replace(/\.weight$/, `.${norm}.weight`));
}

/** Tensors of old checkpoints that config.json determines. */
export function isComputed(name: string): boolean {
  return name.endsWith(".rotary_emb.inv_freq");
}

/** The order of tensors in GGUF files: the embedding, the blocks one by one, the norm, the head. */
export function byPlaceInModel(names: readonly string[]): readonly string[] {
  const rank = (name: string): readonly [number, string] => {
    const [, layer] = /^blk\.(\d+)\./.exec(name) ?? [];
    if (layer !== undefined) return [Number(layer) + 1, name];
    return [name.startsWith("output") ? Infinity : 0, name];
  };
  return names.toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    return left[0] === right[0] ? (left[1] < right[1] ? -1 : 1) : left[0] < right[0] ? -1 : 1;
  });
}
