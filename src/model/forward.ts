import type { Model } from "./model.js";
import type { Operations } from "./operations.js";
import type { SessionPlan } from "./session-plan.js";

/** One pass: which tokens, where they stand, and what is wanted of it. */
export interface Batch {
  /** Token ids, each below the vocabulary's size. */
  readonly tokens: readonly number[];
  /** Position of the first of them: what the KV cache already holds. */
  readonly position: number;
  /** Logits of no token, of the last, or of all; or of the last by the head's screen, which only approximates them. */
  readonly logits: "none" | "last" | "all" | "screen";
}

/**
 * Runs the model over a batch: fills the KV cache at [position, position + tokens) and the session's logits.
 *
 * Every member of the team runs this same function at the same time; each operation does the member's share of the work and
 * returns when its result is there for all (model/operations.ts). Sizes in brackets are [tokens, elements].
 */
export function forward(model: Model, session: SessionPlan, batch: Batch, ops: Operations): void {
  const { position } = batch;
  let { x } = ops.buffers(session, model.embeddingRegion);
  if (model.embedding !== undefined) ops.embed(model.embedding, batch.tokens, x); // x [tokens, width]
  if (model.embeddingScale !== 1) ops.scale(x, model.embeddingScale);

  for (const [index, layer] of model.layers.entries()) {
    const { query, key, value, attended, gate, up, x: here } = ops.buffers(session, layer.region);
    x = ops.move(x, here);

    ops.project(x, layer.attentionNorm, [layer.query, query], [layer.key, key], [layer.value, value]);
    ops.normHeads(layer.queryNorm, query);
    ops.normHeads(layer.keyNorm, key);
    ops.rotateAndCache(session.caches[index], layer, position, query, key, value); // keys, values [context, kv]
    ops.attend(session.caches[index], layer, position, query, attended); // attended [tokens, heads · headSize]
    ops.projectAndAdd(attended, layer.output, x); // x += W · attended

    ops.projectGated(x, layer.feedForwardNorm, [layer.gate, gate], [layer.up, up]); // gate [tokens, feedForward]
    ops.projectAndAdd(gate, layer.down, x); // x += W · gate
  }

  if (batch.logits === "none") return;
  x = ops.move(x, ops.buffers(session, model.headRegion).x);
  const head = batch.logits === "screen" ? model.screen?.matrix : model.head;
  if (head === undefined) throw new Error("the output head that was asked for is not in memory");
  ops.head(x, batch.logits, model.outputNorm, head, session.logits); // logits [1 or tokens, vocabulary]
}
