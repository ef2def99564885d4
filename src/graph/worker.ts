// The code of each worker of a model's team. It keeps copies of the model and of the plans of passes, and
// runs jobs.
import type { WorkerPort } from "../platform/thread.js";
import { weightRanges } from "../model/bytes-per-token.js";
import type { Model } from "../model/model.js";
import { waitForJob, type WorkerAnswer, type WorkerStart } from "../wasm/team.js";
import type { CachedSegment, Segment } from "./batch.js";
import { copyPositions } from "./copy-kv-cache.js";
import { forward } from "./forward.js";
import type { CachePlan } from "./kv-cache.js";
import { createOperations, type Operations } from "./operations.js";
import { type Profile, type ProfiledOperations, profileOperations } from "./profile.js";
import type { WorkPlan } from "./work-plan.js";
import { share } from "./worker-context.js";
import { createWorkerKernels, type WorkerKernels } from "./worker-kernels.js";
import type {
  CopyCacheJob,
  ForwardJob,
  PackHalvesJob,
  ReadWeightsJob,
  WorkerJob,
  WorkerMessage,
} from "./worker-messages.js";

/** A worker after its start. */
interface Worker {
  receive(message: Exclude<WorkerMessage, WorkerStart>): void;
}

/** Serves a team: a thread of its own calls this, or the caller's thread without threads. */
export function serveTeam(port: WorkerPort): void {
  const answer = (message: WorkerAnswer<Profile>): void => port.post(message);
  let worker: Worker | undefined;
  port.onMessage((received) => {
    try {
      const message = received as WorkerMessage;
      if (message.kind === "start") worker = createWorker(message, answer);
      else if (worker === undefined) throw new Error(`received "${message.kind}" before "start"`);
      else worker.receive(message);
    } catch (error) {
      answer({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
    }
  });
}

function createWorker(start: WorkerStart, answer: (message: WorkerAnswer<Profile>) => void): Worker {
  const kernels = createWorkerKernels(start);
  const { context } = kernels;
  const plans = { work: new Map<number, WorkPlan>(), cache: new Map<number, CachePlan>() };
  let loaded: { readonly model: Model; readonly operations: Operations } | undefined;
  let profiled: ProfiledOperations | undefined;
  /** Milliseconds of the last pass without the waits for other workers. */
  let busy = 0;

  function setModel(model: Model): void {
    let operations = createOperations(model, context);
    if (start.profile) {
      // Only a squared relu has zeros to skip.
      profiled = profileOperations(operations, context, { countZeros: model.gate === "relu2" });
      ({ operations } = profiled);
    }
    loaded = { model, operations };
  }

  function requireLoaded(): { readonly model: Model; readonly operations: Operations } {
    if (loaded === undefined) throw new Error("received a job before the model");
    return loaded;
  }

  function planOf<P>(known: ReadonlyMap<number, P>, id: number): P {
    const plan = known.get(id);
    if (plan === undefined) throw new Error(`received a job with an unknown plan (${id})`);
    return plan;
  }

  /**
   * Writes how long the worker was busy in the last pass, for the caller's thread. All workers do it before
   * they begin the pass under way. So all numbers are there when that ends.
   */
  function writeBusy(): void {
    const { buffer } = context.bytes(0);
    new Float64Array(buffer, start.busyAddress + start.index * 8, 1)[0] = busy;
  }

  function runForward({ work, batch, form, layers }: ForwardJob): void {
    const { model, operations } = requireLoaded();
    const plan = planOf(plans.work, work);
    const cached = (segment: Segment): CachedSegment => ({
      ...segment,
      cache: planOf(plans.cache, segment.cache),
    });
    kernels.setForm(form ?? (start.matmul.lookup ? "lookup" : start.matmul.form));
    operations.begin(plan, batch.segments.map(cached));
    writeBusy();
    waitForJob(context.kernels(0), start, context.count);
    kernels.takeWaited();
    const begun = performance.now();
    forward(model, plan, batch, operations, layers);
    busy = performance.now() - begun - kernels.takeWaited();
  }

  function run(job: WorkerJob): void {
    switch (job.kind) {
      case "meet":
        kernels.instantiateAll();
        context.barrier();
        return;
      case "packHalves":
        packHalves(kernels, job);
        return;
      case "readWeights":
        readWeights(kernels, requireLoaded().model, job);
        return;
      case "copyCache":
        copyCache(job);
        return;
      case "forward":
        runForward(job);
    }
  }

  function endsPass(job: WorkerJob): boolean {
    return job.kind === "forward" && (job.layers?.end ?? Infinity) >= requireLoaded().model.layers.length;
  }

  function copyCache({ copy }: CopyCacheJob): void {
    const [from, to] = [planOf(plans.cache, copy.from), planOf(plans.cache, copy.to)];
    copyPositions(context, requireLoaded().model, { ...copy, from, to });
    context.barrier();
  }

  function answerJob(message: WorkerJob & { readonly job: number; readonly workers: number }): void {
    kernels.setWorkers(message.workers, message.kind === "forward" ? message.shares : undefined);
    run(message);
    if (start.index !== 0) return;
    const profile = endsPass(message) ? profiled?.take() : undefined;
    answer({ kind: "done", job: message.job, ...(profile && { profile }) });
  }

  return {
    receive(message): void {
      if ("job" in message) {
        answerJob(message);
        return;
      }
      switch (message.kind) {
        case "region":
          kernels.addRegion(message.index, message.memory);
          return;
        case "model":
          setModel(message.model);
          return;
        case "work":
          plans.work.set(message.plan.id, message.plan);
          return;
        case "cache":
          plans.cache.set(message.plan.id, message.plan);
          return;
        case "forget":
          plans[message.what].delete(message.id);
      }
    },
  };
}

/** Packs the worker's rows of a piece of the output head. */
function packHalves({ context }: WorkerKernels, { work }: PackHalvesJob): void {
  const { region, halves, cols, output, records, bounds } = work;
  const [begin, end] = share(work.rows, context);
  const result = work.largest[context.index] ?? 0;
  const kernels = context.kernels(region);
  const largest = kernels.pack_halves_i8(halves, cols, begin, end, output, records, bounds);
  new Float32Array(context.bytes(region).buffer, result, 1)[0] = largest;
  context.barrier();
}

/** Reads the worker's share of the weights, cache line by cache line. */
function readWeights({ context }: WorkerKernels, model: Model, { times }: ReadWeightsJob): void {
  for (let i = 0; i < times; i += 1) {
    for (const { region, address, bytes } of weightRanges(model)) {
      const [begin, end] = share(Math.floor(bytes / 64), context);
      context.kernels(region).sum_words(address + begin * 64, (end - begin) * 64);
    }
  }
  context.barrier();
}
