import { quantizeI8 } from "./activations.js";
import { attentionOutput } from "./attention.js";
import { at } from "./float32.js";
import { roundToHalf } from "./halves.js";
import { quantizeGroups } from "./ternary-groups.js";
import { ropeAngles, type RopeAngles, type RopePairing } from "./rope.js";

// A decoder by its papers and llama.cpp's graphs (src/models). It computes one number after another in f64.
// It keeps only the keys and values of earlier tokens. They are rounded to halves, as in the engine's cache.

export interface ReferenceTensor {
  /** Fastest-varying size first. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** True if its matmul is BitLinear. Activations round to int8, by token unless there is a group size. */
  readonly ternary: boolean;
  /** The number of columns in a group. Activations then round group by group. */
  readonly groupSize?: number | undefined;
}

/** The computation of a model. Norms and biases apply if `tensors` has them. */
export interface ReferenceDecoder {
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly epsilon: number;
  readonly gate: (gate: number, up: number) => number;
  readonly pairing: RopePairing;
  readonly rope: (layer: number) => RopeAngles;
  /** The number of positions that a layer's tokens attend to, including their own. */
  readonly window: (layer: number) => number;
  readonly attentionScale: number;
  readonly embeddingScale: number;
  /** The factor of the outputs of attention and feed-forward in the residual stream. */
  readonly residualScale: number;
  readonly logitScale: number;
  readonly tensors: ReadonlyMap<string, ReferenceTensor>;
}

type Row = readonly number[];

function matmul(tensor: ReferenceTensor, x: Row): Row {
  const { values, shape } = tensor;
  const [cols = 0, rows = 0] = shape;
  const input = rounded(tensor, x);
  return Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let k = 0; k < cols; k += 1) sum += at(values, row * cols + k) * at(input, k);
    return sum;
  });
}

/** A matmul's input after rounding: its int8 values times their scales. */
function rounded({ ternary, groupSize }: ReferenceTensor, x: Row): Row {
  if (groupSize === undefined) {
    if (!ternary) return x;
    const { values, scale } = quantizeI8(Float32Array.from(x));
    return Array.from(values, (value) => value / scale);
  }
  const { values, scales } = quantizeGroups(Float32Array.from(x), groupSize);
  return x.map((_, k) => at(values, k) * at(scales, Math.floor(k / groupSize)));
}

/** Hidden states after the last norm, one row per token. */
export function referenceHidden(model: ReferenceDecoder, ids: readonly number[]): Row[] {
  const { tensors, epsilon } = model;

  const has = (name: string): boolean => tensors.has(name);
  const tensor = (name: string): ReferenceTensor => {
    const found = tensors.get(name);
    if (found === undefined) throw new Error(`the reference has no tensor "${name}"`);
    return found;
  };

  function norm(name: string, x: Row): Row {
    if (!has(name)) return x;
    const { values } = tensor(name);
    const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
    return x.map((value, k) => (value / Math.sqrt(mean + epsilon)) * at(values, k));
  }

  /** Normalizes each run of `size` numbers separately. */
  function normHeads(name: string, x: Row, size: number): Row {
    return Array.from({ length: x.length / size }, (_, head) =>
      norm(name, x.slice(head * size, (head + 1) * size)),
    ).flat();
  }

  /**
   * One linear layer of a block, with the norm before it and the scale or bias behind it that some files
   * have.
   */
  function project(layer: number, part: string, x: Row, subNorm = ""): Row {
    const name = `blk.${layer}.${part}`;
    const input = norm(`${name}_norm_in.weight`, norm(`blk.${layer}.${subNorm}.weight`, x));
    const output = matmul(tensor(`${name}.weight`), input);
    if (!has(`${name}.bias`)) return output;
    const bias = tensor(`${name}.bias`).values;
    return output.map((value, k) => value + at(bias, k));
  }

  function rotate(layer: number, x: Row, position: number): Row {
    const { headSize, pairing } = model;
    const angles = model.rope(layer);
    const half = angles.dimensions / 2;
    const table = ropeAngles(position, angles);
    const turned = [...x];
    for (let head = 0; head < x.length; head += headSize) {
      for (let i = 0; i < half; i += 1) {
        const first = head + (pairing === "halves" ? i : 2 * i);
        const second = head + (pairing === "halves" ? i + half : 2 * i + 1);
        turned[first] = at(x, first) * at(table, i) - at(x, second) * at(table, half + i);
        turned[second] = at(x, first) * at(table, half + i) + at(x, second) * at(table, i);
      }
    }
    return turned;
  }

  function attention(layer: number, x: readonly Row[]): Row[] {
    const { headSize, heads, kvHeads } = model;
    const name = (part: string): string => `blk.${layer}.${part}.weight`;
    const normed = x.map((row) => norm(name("attn_norm"), row));
    const queries = normed.map((row, position) =>
      rotate(layer, normHeads(name("attn_q_norm"), project(layer, "attn_q", row), headSize), position),
    );
    const keys = normed.map((row, position) =>
      rotate(layer, normHeads(name("attn_k_norm"), project(layer, "attn_k", row), headSize), position).map(
        roundToHalf,
      ),
    );
    const values = normed.map((row) => project(layer, "attn_v", row).map(roundToHalf));
    return queries.map((row, position) => {
      const begin = Math.max(0, position + 1 - model.window(layer));
      const attended = Array.from({ length: heads }, (_, head) => {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const part = (of: Row, index: number): Float32Array =>
          // f64 would be as good, but attention's reference takes f32.
          Float32Array.from(of.slice(index * headSize, (index + 1) * headSize));
        return attentionOutput({
          query: part(row, head),
          keys: keys.slice(begin, position + 1).map((key) => part(key, kvHead)),
          values: values.slice(begin, position + 1).map((value) => part(value, kvHead)),
          scale: model.attentionScale,
        });
      }).flat();
      return norm(name("post_attention_norm"), project(layer, "attn_output", attended, "attn_sub_norm"));
    });
  }

  function feedForward(layer: number, x: Row): Row {
    const name = (part: string): string => `blk.${layer}.${part}.weight`;
    const normed = norm(name("ffn_norm"), x);
    const up = project(layer, "ffn_up", normed);
    const gated = project(layer, "ffn_gate", normed).map((gate, k) => model.gate(gate, at(up, k)));
    return norm(name("post_ffw_norm"), project(layer, "ffn_down", gated, "ffn_sub_norm"));
  }

  const add = (x: Row, y: Row): Row => x.map((value, k) => value + at(y, k) * model.residualScale);
  const embedding = tensor("token_embd.weight");
  const [width = 0] = embedding.shape;
  let x: Row[] = ids.map((id) =>
    Array.from(embedding.values.subarray(id * width, (id + 1) * width), (v) => v * model.embeddingScale),
  );
  for (let layer = 0; layer < model.layers; layer += 1) {
    const attended = attention(layer, x);
    x = x.map((row, t) => add(row, attended[t] ?? []));
    x = x.map((row) => add(row, feedForward(layer, row)));
  }
  return x.map((row) => norm("output_norm.weight", row));
}

/** Logits, one row per token. */
export function referenceLogits(model: ReferenceDecoder, ids: readonly number[]): Row[] {
  const head = model.tensors.get("output.weight") ?? model.tensors.get("token_embd.weight");
  if (head === undefined) throw new Error("the reference has no output head");
  return referenceHidden(model, ids).map((row) => matmul(head, row).map((logit) => logit * model.logitScale));
}
