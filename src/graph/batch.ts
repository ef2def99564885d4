import type { CachePlan } from "./kv-cache.js";
import type { WorkPlan } from "./work-plan.js";

/** One pass: the tokens of some sequences, and the results wanted. Plain data for every worker. */
export interface Batch {
  /** Token ids below the vocabulary's size: those of the first segment, then those of the next. */
  readonly tokens: readonly number[];
  readonly segments: readonly Segment[];
  /** Tokens whose logits are wanted: ascending indexes into `tokens`. */
  readonly logitRows: readonly number[];
  /** Exact logits, bounds of them by the head's screen, or the normed hidden states that go into the head. */
  readonly head: "exact" | "screen" | "hidden";
  /**
   * For the head's screen: a row's first logits that belong to tokens; one number for each of `logitRows`.
   */
  readonly screenCols: readonly number[];
  /** A row's first logits to sum to probabilities; 0 for none. */
  readonly softmaxCols: number;
}

/**
 * Neighbouring tokens of a batch that continue one sequence. No two segments of a batch continue the same
 * sequence.
 */
export interface Segment {
  /** Id of the sequence's KV cache. */
  readonly cache: number;
  /** Position of the first token: the number of tokens in the cache. */
  readonly position: number;
  readonly tokens: number;
}

/** A segment with the cache of its sequence. */
export interface CachedSegment extends Omit<Segment, "cache"> {
  readonly cache: CachePlan;
}

/** The pass under way, as operations see it. */
export interface Pass {
  readonly plan: WorkPlan;
  readonly segments: readonly CachedSegment[];
  /** Tokens of all segments. */
  readonly tokens: number;
}
