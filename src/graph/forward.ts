import type { Model } from "../model/model.js";
import type { Batch } from "./batch.js";
import type { Operations } from "./operations.js";
import type { WorkPlan } from "./work-plan.js";

/**
 * Layers from `begin` to `end − 1`. The first one comes after the embedding, and the output head comes after
 * the last one.
 */
export interface LayerRange {
  readonly begin: number;
  readonly end: number;
}

/**
 * Runs the model over a batch: fills the KV caches at [position, position + tokens) of each segment, and the
 * logits buffer.
 *
 * Every worker of the team runs this function at the same time. Each operation does the worker's share of the
 * work, and returns when all workers see its result (graph/operations.ts). Sizes in brackets are [tokens,
 * elements]. Only attention knows sequences: all other operations work on rows.
 *
 * @param range layers to run after those before them have run in the same buffers. Default: all.
 */
export function forward(
  model: Model,
  plan: WorkPlan,
  batch: Batch,
  ops: Operations,
  range: LayerRange = { begin: 0, end: model.layers.length },
): void {
  const before = model.layers[range.begin - 1];
  let { x } = ops.buffers(plan, before?.region ?? model.embeddingRegion);
  if (before === undefined) {
    if (model.embedding !== undefined) ops.embed(model.embedding, batch.tokens, x); // x [tokens, width]
    if (model.embeddingScale !== 1) ops.scale(x, model.embeddingScale);
  }

  for (const [index, layer] of model.layers.entries()) {
    if (index < range.begin || index >= range.end) continue;
    const { query, key, value, attended, gate, up, x: here } = ops.buffers(plan, layer.region);
    x = ops.move(x, here);

    ops.project(x, layer.attentionNorm, [layer.query, query], [layer.key, key], [layer.value, value]);
    ops.normHeads(layer.queryNorm, query);
    ops.normHeads(layer.keyNorm, key);
    ops.rotateAndCache(index, query, key, value); // keys, values [context, kv] of each sequence
    ops.attend(index, query, attended); // attended [tokens, heads · headSize]
    ops.projectAndAdd(attended, layer.output, x); // x += W · attended

    ops.projectGated(x, layer.feedForwardNorm, [layer.gate, gate], [layer.up, up]); // gate [tokens, feedForward]
    ops.projectAndAdd(gate, layer.down, x); // x += W · gate
  }

  if (range.end < model.layers.length) return;
  if (batch.head === "hidden") {
    x = ops.move(x, ops.buffers(plan, model.headRegion).x);
    ops.normalize(x, model.outputNorm);
    return;
  }
  if (batch.logitRows.length === 0) return;
  x = ops.move(x, ops.buffers(plan, model.headRegion).x);
  if (batch.head === "screen") {
    ops.screen(x, batch.logitRows, model.outputNorm, batch.screenCols); // bounds [logitRows, vocabulary], and of blocks
    return;
  }
  if (model.head === undefined) throw new Error("the output head is not in memory");
  ops.head(x, batch.logitRows, model.outputNorm, model.head, plan.logits); // logits [logitRows, vocabulary]
  if (batch.softmaxCols > 0)
    ops.softmaxTotals(plan.logits, batch.logitRows.length, batch.softmaxCols, plan.softmaxTotals);
}
