import { BitNetError, throwIfAborted } from "../errors.js";
import type { LayerRange } from "../graph/forward.js";
import type { ForwardJob } from "../graph/worker-messages.js";
import type { LayerRing } from "../model/layer-ring.js";
import { createCallQueue } from "./call-queue.js";

/** Passes over a model whose layers are partly read from disk in each pass. */
export interface LayerStream {
  /**
   * Runs a pass part by part. While the team computes a layer, the next ones are read.
   * @throws BitNetError FILE_READ, FILE_CORRUPT if a layer cannot be read. The next pass tries it again.
   *   `signal.reason` between two layers.
   */
  run(job: ForwardJob, signal: AbortSignal | undefined): Promise<void>;
  /** Ends reading. Resolves when no read is under way any more. */
  stop(): Promise<void>;
}

/** Layers that run in one job. The last of them may be a streamed one, by its index among those. */
interface Part extends LayerRange {
  readonly streamed: number | undefined;
}

/** A slot of the ring. */
interface Slot {
  /** Index of the streamed layer that it holds or will hold. Undefined after a failure. */
  streamed: number | undefined;
  /** Settles when it holds that layer. */
  filled: Promise<void>;
  /** Settles when no job uses its content. */
  used: Promise<void>;
}

/**
 * Reads the first layers at once, for the first pass.
 *
 * @param parts.layers number of all layers.
 * @param parts.refill reads a streamed layer into its slot.
 * @param parts.run runs a job on the team, after all jobs before it.
 */
export function createLayerStream(parts: {
  readonly ring: Pick<LayerRing, "plan" | "slots" | "slotOf">;
  readonly layers: number;
  readonly refill: (streamed: number, signal: AbortSignal) => Promise<void>;
  readonly run: (job: ForwardJob) => Promise<void>;
}): LayerStream {
  const { ring, refill, run } = parts;
  const count = ring.plan.layers.length;
  const stopped = new AbortController();
  const passes = createCallQueue();
  const passParts = partsOf(ring.plan.layers, parts.layers);
  const slots: readonly Slot[] = Array.from({ length: ring.slots }, () => ({
    streamed: undefined,
    filled: Promise.resolve(),
    used: Promise.resolve(),
  }));
  for (let streamed = 0; streamed < ring.slots; streamed += 1) readAhead(streamed);

  function slotOf(streamed: number): Slot {
    const slot = slots[ring.slotOf(streamed)];
    if (slot === undefined) throw new RangeError(`no slot for ${streamed}`);
    return slot;
  }

  /** Resolves when a layer is in its slot. */
  function hold(streamed: number): Promise<void> {
    const slot = slotOf(streamed);
    if (slot.streamed === streamed) return slot.filled;
    slot.streamed = streamed;
    const filled = Promise.allSettled([slot.filled, slot.used])
      .then(() => refill(streamed, stopped.signal))
      .catch((error: unknown) => {
        if (slot.streamed === streamed) slot.streamed = undefined;
        throw error;
      });
    slot.filled = filled;
    return filled;
  }

  /** The pass that needs the layer reports a failure, or tries again if it comes later. */
  function readAhead(streamed: number): void {
    hold(streamed).catch(() => undefined);
  }

  /** Runs a part on the team, and reads the next layer of its slot when that is done. */
  function runPart(job: ForwardJob, { begin, end, streamed }: Part): Promise<void> {
    const done = run({ ...job, layers: { begin, end } });
    if (streamed === undefined) return done;
    slotOf(streamed).used = done;
    readAhead(streamed + ring.slots < count ? streamed + ring.slots : ring.slotOf(streamed));
    return done;
  }

  async function runPass(job: ForwardJob, signal: AbortSignal | undefined): Promise<void> {
    const jobs: Promise<void>[] = [];
    const failed = new AbortController();
    try {
      for (const part of passParts) {
        throwIfAborted(signal);
        throwIfAborted(failed.signal);
        if (part.streamed !== undefined) await hold(part.streamed);
        jobs.push(runPart(job, part).catch((error: unknown) => failed.abort(error)));
      }
    } finally {
      // Until then the team uses the buffers of the pass.
      await Promise.all(jobs);
    }
    throwIfAborted(failed.signal);
  }

  return {
    run: (job, signal) => passes.run(() => runPass(job, signal)),
    async stop(): Promise<void> {
      stopped.abort(new BitNetError("DISPOSED", "The model has been disposed"));
      await Promise.allSettled(slots.map(({ filled }) => filled));
    },
  };
}

/** Streamed layers alone, so that their slots are free early, and the layers between them. */
function partsOf(streamed: readonly number[], layers: number): readonly Part[] {
  const parts: Part[] = [];
  let begin = 0;
  for (const [index, layer] of streamed.entries()) {
    if (begin < layer) parts.push({ begin, end: layer, streamed: undefined });
    parts.push({ begin: layer, end: layer + 1, streamed: index });
    begin = layer + 1;
  }
  if (begin < layers) parts.push({ begin, end: layers, streamed: undefined });
  return parts;
}
