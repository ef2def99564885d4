// What each thread of a model's team runs: it keeps copies of the model and of where passes compute, and runs `forward` when told.
import { isMainThread, parentPort } from "node:worker_threads";
import type { PackHalvesWork } from "../packing/screen.js";
import { instantiateKernels } from "../wasm/kernel-build.js";
import { type Kernels, ternaryGroupsKernel, ternaryKernel } from "../wasm/kernels.js";
import { type MemberAnswer, type MemberRegion, type MemberStart, waitForTeam } from "../wasm/team.js";
import { type CacheCopy, copyPositions } from "./copy-kv-cache.js";
import type { CachePlan } from "./kv-cache.js";
import { type Batch, forward, type Segment } from "./forward.js";
import type { Model } from "../model/model.js";
import type { CachedSegment } from "./attention.js";
import { type Member, share } from "./worker-context.js";
import { createOperations, type Operations } from "./operations.js";
import { createZeroCount, type Profile, type ProfiledOperations, profileOperations } from "./profile.js";
import { weightRanges } from "../model/bytes-per-token.js";
import type { WorkPlan } from "./work-plan.js";

/** What the owner of a team tells its members, besides the team's own messages. */
export type MemberMessage =
  | MemberStart
  | MemberRegion
  | { readonly kind: "model"; readonly model: Model }
  | { readonly kind: "work"; readonly plan: WorkPlan }
  | { readonly kind: "cache"; readonly plan: CachePlan }
  | { readonly kind: "forget"; readonly what: "work" | "cache"; readonly id: number }
  | MeetJob
  | PackHalvesJob
  | ReadWeightsJob
  | CopyCacheJob
  | ForwardJob;

/** A piece of the output head to pack, by rows. */
export interface PackHalvesJob {
  readonly kind: "packHalves";
  readonly job: number;
  readonly work: PackHalvesWork;
}

/** Done when every member has started and knows the memories: the first pass then pays for nothing but itself. */
export interface MeetJob {
  readonly kind: "meet";
  readonly job: number;
}

/** Reads the weights of a generated token, `times` times: for measuring. */
export interface ReadWeightsJob {
  readonly kind: "readWeights";
  readonly job: number;
  readonly times: number;
}

/** Part of a sequence to copy into another's cache. */
export interface CopyCacheJob {
  readonly kind: "copyCache";
  readonly job: number;
  readonly copy: CacheCopy;
}

/** One pass over a batch. */
export interface ForwardJob {
  readonly kind: "forward";
  readonly job: number;
  /** Id of the buffers to compute in. */
  readonly work: number;
  readonly batch: Batch;
}

if (!isMainThread && parentPort !== null) listen(parentPort);

function listen(port: NonNullable<typeof parentPort>): void {
  const memories: WebAssembly.Memory[] = [];
  const instances: (Kernels | undefined)[] = [];
  const wideInstances: (Kernels | undefined)[] = [];
  const plans = { work: new Map<number, WorkPlan>(), cache: new Map<number, CachePlan>() };
  let start: MemberStart | undefined;
  let model: Model | undefined;
  let ops: Operations | undefined;
  let profiled: ProfiledOperations | undefined;

  const answer = (message: MemberAnswer<Profile>): void => port.postMessage(message);

  function kernelsOf(region: number): Kernels {
    const memory = memories[region];
    if (start === undefined || memory === undefined) throw new Error(`memory ${region} is not known here`);
    return (instances[region] ??= instantiateKernels(start.module, memory));
  }

  /** The kernels of the copy that runs 256 bits wide, where there is one: for what was tested in it. */
  function wideKernelsOf(region: number): Kernels {
    const memory = memories[region];
    const wide = start?.product.wideModule;
    if (wide === undefined || memory === undefined) return kernelsOf(region);
    return (wideInstances[region] ??= instantiateKernels(wide, memory));
  }

  function memberOf(own: MemberStart): Member {
    const { index, count, product } = own;
    return {
      index,
      count,
      kernels: kernelsOf,
      ternaryProduct: (region) => ternaryKernel(wideKernelsOf(region), product.form),
      sparseKernels: wideKernelsOf,
      form: product.form,
      ternaryGroupsProduct: (region, size) => ternaryGroupsKernel(wideKernelsOf(region), product.form, size),
      attentionKernels: product.wideAttention ? wideKernelsOf : kernelsOf,
      bytes: (region) => new Uint8Array(memories[region]?.buffer ?? new ArrayBuffer(0)),
      barrier(): void {
        waitForTeam(kernelsOf(0), own);
      },
    };
  }

  function meet({ job }: MeetJob): void {
    if (start === undefined) throw new Error("told to meet before being started");
    for (const region of memories.keys()) {
      kernelsOf(region);
      wideKernelsOf(region);
    }
    memberOf(start).barrier();
    if (start.index === 0) answer({ kind: "done", job });
  }

  function packHalves({ job, work }: PackHalvesJob): void {
    if (start === undefined) throw new Error("told to pack before being started");
    const member = memberOf(start);
    const [begin, end] = share(work.rows, member);
    const scratch = work.scratch[member.index] ?? 0;
    const { halves, cols, output, records, bounds } = work;
    const largest = kernelsOf(work.region).pack_halves_i8(
      halves,
      cols,
      begin,
      end,
      scratch,
      output,
      records,
      bounds,
    );
    new Float32Array(member.bytes(work.region).buffer, scratch, 1)[0] = largest;
    member.barrier();
    if (member.index === 0) answer({ kind: "done", job });
  }

  function cacheOf(id: number): CachePlan {
    const cache = plans.cache.get(id);
    if (cache === undefined) throw new Error("told to work on a sequence that is not known here");
    return cache;
  }

  function copyCache({ job, copy }: CopyCacheJob): void {
    if (start === undefined || model === undefined) throw new Error("told to copy before being set up");
    const member = memberOf(start);
    copyPositions(member, model.sizes, cacheOf(copy.from), cacheOf(copy.to), copy);
    member.barrier();
    if (member.index === 0) answer({ kind: "done", job });
  }

  function cached(segment: Segment): CachedSegment {
    return { ...segment, cache: cacheOf(segment.cache) };
  }

  function readWeights({ job, times }: ReadWeightsJob): void {
    if (start === undefined || model === undefined) throw new Error("told to read before being set up");
    const member = memberOf(start);
    for (let i = 0; i < times; i += 1) {
      for (const { region, address, bytes } of weightRanges(model)) {
        const [begin, end] = share(Math.floor(bytes / 64), member);
        kernelsOf(region).sum_words(address + begin * 64, (end - begin) * 64);
      }
    }
    member.barrier();
    if (member.index === 0) answer({ kind: "done", job });
  }

  function run({ job, work, batch }: ForwardJob): void {
    const plan = plans.work.get(work);
    if (start === undefined || model === undefined || ops === undefined || plan === undefined)
      throw new Error("told to work before being set up");
    ops.begin(plan, batch.segments.map(cached));
    waitForTeam(kernelsOf(0), start, true);
    forward(model, plan, batch, ops);
    if (start.index === 0) answer({ kind: "done", job, ...(profiled && { profile: profiled.take() }) });
  }

  function receive(message: MemberMessage): void {
    switch (message.kind) {
      case "start":
        start = message;
        return;
      case "region":
        memories[message.index] = message.memory;
        return;
      case "model":
        if (start === undefined) throw new Error("given a model before being started");
        ({ model } = message);
        // Without a squared relu there are none to leave out.
        const counts = start.profile && start.index === 0 && model.gate === "relu2";
        const zeros = counts ? createZeroCount() : undefined;
        ops = createOperations(model, memberOf(start), zeros);
        if (start.profile) {
          profiled = profileOperations(ops, zeros);
          ops = profiled.operations;
        }
        return;
      case "work":
        plans.work.set(message.plan.id, message.plan);
        return;
      case "cache":
        plans.cache.set(message.plan.id, message.plan);
        return;
      case "forget":
        plans[message.what].delete(message.id);
        return;
      case "meet":
        meet(message);
        return;
      case "packHalves":
        packHalves(message);
        return;
      case "readWeights":
        readWeights(message);
        return;
      case "copyCache":
        copyCache(message);
        return;
      case "forward":
        run(message);
    }
  }

  port.on("message", (message: MemberMessage) => {
    try {
      receive(message);
    } catch (error) {
      answer({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
    }
  });
}
