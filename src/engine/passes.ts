import type { ForwardJob, WorkerJob } from "../graph/worker-messages.js";
import type { TimedForm } from "../wasm/choose-matmul.js";
import type { Memories } from "../wasm/memory.js";
import { createFormChoice, type FormChoice } from "./form-choice.js";
import { createPassChoice } from "./pass-choice.js";
import { createShareChoice, type ShareChoice, type Shares } from "./share-choice.js";

/** Runs passes, and measures which workers, which shares and which matmuls are the fastest. */
export interface Passes {
  readonly forms: FormChoice;
  readonly shares: ShareChoice;
  /** @param tokens tokens of the pass, at least 1. */
  run(tokens: number, job: ForwardJob): Promise<void>;
}

export function createPasses(parts: {
  readonly run: (job: WorkerJob, options: { readonly alone: boolean }) => Promise<void>;
  readonly memories: Memories;
  readonly workers: number;
  /** Bytes that a pass of one token reads. */
  readonly bytesPerToken: number;
  /** As MatmulChoice. */
  readonly timed: readonly [TimedForm, ...TimedForm[]];
  /** As MatmulChoice. */
  readonly lookup: boolean;
  /** As WorkerStart. */
  readonly busyAddress: number;
  /** Shares that never change. Undefined for measured ones. */
  readonly fixed: Shares | undefined;
}): Passes {
  const { memories, workers, busyAddress } = parts;
  const workerChoice = createPassChoice(parts);
  const forms = createFormChoice(parts);
  const shares = createShareChoice({
    ...parts,
    busy(): readonly number[] {
      const bytes = memories.view({ region: 0, address: busyAddress }, workers * 8);
      return [...new Float64Array(bytes.buffer, bytes.byteOffset, workers)];
    },
  });
  return {
    forms,
    shares,
    run: (tokens, job) =>
      forms.run(tokens, (form) =>
        workerChoice.run(tokens, (who) =>
          shares.run(tokens, async (chosen) => {
            await parts.run({ ...job, form, shares: chosen }, { alone: who === "alone" });
            return who;
          }),
        ),
      ),
  };
}
