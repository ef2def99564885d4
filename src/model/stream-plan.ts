import type { LayerDescription, MatrixRole, ModelDescription } from "../architectures/description.js";
import { BitNetError } from "../errors.js";
import type { ModelFile } from "../files/model-file.js";
import { packingBytes } from "../packing/pack.js";
import type { PackingGoal } from "../packing/packing.js";
import { describeBytes } from "../wasm/memory.js";
import { matrixRolesOf, plannedFraction, type WeightPlan } from "./weight-plan.js";

/**
 * The packing of streamed matrices is the one that takes less time. I2_S has the layout of "fast" in the
 * file, so it is only checked, at 28 GB/s; base 3 takes it at 1.3. From TQ1_0, base 3 is the faster one: 1.4
 * GB/s, against 1.3. A file of packed layers on the disk would make TQ1_0 as cheap as I2_S. But every load
 * would write as many bytes as each pass reads, into a folder that may be read-only or full.
 */
export function streamGoal({ tensors }: ModelFile, { tensor }: MatrixRole): PackingGoal {
  return tensors.get(tensor)?.type === "TQ1_0" ? "small" : "fast";
}

/** Slots that take turns: the team computes in one while the next layer is read into another. */
const minSlots = 2;

/** Layers that are not kept in memory. They share slots, each large enough for any of them. */
export interface StreamPlan {
  /** Their indexes, ascending. They lie apart, so that reading goes on while layers in memory compute. */
  readonly layers: readonly number[];
  /** Bytes of one slot. */
  readonly slotBytes: number;
  /** Bytes of the file that a pass reads. */
  readonly bytesPerPass: number;
  /** Bytes of the matrices in memory and of `minSlots` slots. */
  readonly bytes: number;
}

/**
 * Keeps as many layers in memory as fit.
 *
 * @param plan the plan for all layers in memory.
 * @param maxBytes maximum bytes of matrices in memory.
 * @returns undefined if all layers fit.
 * @throws BitNetError OUT_OF_MEMORY if `maxBytes` does not hold even two layers and the output head;
 *   INVALID_ARGUMENT for a folder of safetensors.
 */
export function planStream(
  file: ModelFile,
  description: ModelDescription,
  plan: WeightPlan,
  maxBytes: number,
): StreamPlan | undefined {
  if (plan.bytes <= maxBytes) return undefined;
  // Its tensors are computed from other ones, which takes longer than reading them.
  if (file.container === "checkpoint") {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot stream layers of "${file.source.name}": a checkpoint folder is converted while it is read; convert it to a GGUF file first (bitnet convert)`,
    );
  }
  const { layers } = description;
  const slotBytes = Math.max(...layers.map((layer) => slotBytesOf(file, layer)));
  for (let count = minSlots + 1; count <= layers.length; count += 1) {
    const streamed = spread(count, layers.length);
    const kept = plan.bytes - sum(streamed.map((index) => plan.layerBytes[index] ?? 0));
    const bytes = kept + minSlots * slotBytes;
    if (bytes > maxBytes && count < layers.length) continue;
    if (bytes > maxBytes) throw tooLittle(file, bytes, maxBytes);
    const bytesPerPass = sum(streamed.map((index) => fileBytesOf(file, layers[index])));
    return { layers: streamed, slotBytes, bytesPerPass, bytes };
  }
  // One or two layers cannot take turns.
  throw tooLittle(file, plan.bytes, maxBytes);
}

/**
 * Slots that streamed layers need. Their KV caches lie beside them, so a long context may need more memories
 * than one.
 *
 * @param regionBytes maximum bytes of a memory.
 */
export function slotCount(plan: StreamPlan, layerCacheBytes: number, regionBytes: number): number {
  const { layers, slotBytes } = plan;
  const room = Math.max(1, regionBytes * plannedFraction - slotBytes);
  return Math.min(layers.length, Math.max(minSlots, Math.ceil((layers.length * layerCacheBytes) / room)));
}

/** Bytes of a layer's matrices in a slot, each with room to pack it at the same time as the others. */
function slotBytesOf(file: ModelFile, layer: LayerDescription): number {
  return sum(matrixRolesOf(layer).map((role) => packingBytes(file, role, streamGoal(file, role))));
}

function fileBytesOf(file: ModelFile, layer: LayerDescription | undefined): number {
  const roles = layer === undefined ? [] : matrixRolesOf(layer);
  return sum(roles.map(({ tensor }) => file.tensors.get(tensor)?.bytes ?? 0));
}

/** `count` of `total` indexes at equal distances, the last among them. */
function spread(count: number, total: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => Math.ceil(((index + 1) * total) / count) - 1);
}

function tooLittle(file: ModelFile, bytes: number, maxBytes: number): BitNetError {
  return new BitNetError(
    "OUT_OF_MEMORY",
    `Cannot stream layers of "${file.source.name}": the parts that stay in memory and the layers that take turns need ${describeBytes(bytes)}, and ${describeBytes(maxBytes)} are available`,
    { details: { bytes, availableBytes: maxBytes } },
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
