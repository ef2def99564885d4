import type { Model } from "../model/model.js";
import type { Operations } from "./operations.js";
import type { WorkPlan } from "./work-plan.js";

/** One pass: which tokens of which sequences, and what is wanted of it. Plain data, as it goes to every thread. */
export interface Batch {
  /** Token ids, each below the vocabulary's size: those of the first segment, then those of the next. */
  readonly tokens: readonly number[];
  readonly segments: readonly Segment[];
  /** The tokens after which logits are wanted: ascending indexes into `tokens`. */
  readonly logitRows: readonly number[];
  /** Exact logits; or those of the head's screen, which only approximates them; or none, and what would go into the head. */
  readonly head: "exact" | "screen" | "hidden";
  /** For the head's screen: how many of a row's logits can be of tokens, from the first; one number for each of `logitRows`. */
  readonly screenCols: readonly number[];
  /** How many of a row's logits are summed to probabilities, from the first; 0 for none. */
  readonly softmaxCols: number;
}

/** Neighbouring tokens of a batch that continue one sequence; no two segments of a batch continue the same. */
export interface Segment {
  /** Id of the sequence's KV cache. */
  readonly cache: number;
  /** Position of the first token: what the cache already holds. */
  readonly position: number;
  readonly tokens: number;
}

/**
 * Runs the model over a batch: fills the KV caches at [position, position + tokens) of each segment, and the logits buffer.
 *
 * Every member of the team runs this same function at the same time; each operation does the member's share of the work and
 * returns when its result is there for all (graph/operations.ts). Sizes in brackets are [tokens, elements]. Only attention
 * knows of sequences: everything else sees rows.
 */
export function forward(model: Model, plan: WorkPlan, batch: Batch, ops: Operations): void {
  let { x } = ops.buffers(plan, model.embeddingRegion);
  if (model.embedding !== undefined) ops.embed(model.embedding, batch.tokens, x); // x [tokens, width]
  if (model.embeddingScale !== 1) ops.scale(x, model.embeddingScale);

  for (const [index, layer] of model.layers.entries()) {
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
  if (model.head === undefined) throw new Error("the output head that was asked for is not in memory");
  ops.head(x, batch.logitRows, model.outputNorm, model.head, plan.logits); // logits [logitRows, vocabulary]
  if (batch.softmaxCols > 0)
    ops.softmaxTotals(plan.logits, batch.logitRows.length, batch.softmaxCols, plan.softmaxTotals);
}
