// What each thread of a model's team runs: it keeps copies of the model and its sessions, and runs `forward` when told.
import { isMainThread, parentPort } from "node:worker_threads";
import type { PackHalvesWork } from "../packing/screen.js";
import { instantiateKernels } from "../wasm/kernel-build.js";
import { type Kernels, ternaryGroupsKernel, ternaryKernel } from "../wasm/kernels.js";
import { type MemberAnswer, type MemberRegion, type MemberStart, waitForTeam } from "../wasm/team.js";
import { type Batch, forward } from "./forward.js";
import type { Model } from "./model.js";
import { createOperations, type Member, type Operations, share } from "./operations.js";
import { type ProfiledOperations, profileOperations } from "./profile.js";
import type { SessionPlan } from "./session-plan.js";

/** What the owner of a team tells its members, besides the team's own messages. */
export type MemberMessage =
  | MemberStart
  | MemberRegion
  | { readonly kind: "model"; readonly model: Model }
  | { readonly kind: "session"; readonly plan: SessionPlan }
  | { readonly kind: "forget"; readonly session: number }
  | MeetJob
  | PackHalvesJob
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

/** One pass over a batch. */
export interface ForwardJob {
  readonly kind: "forward";
  readonly job: number;
  readonly session: number;
  readonly batch: Batch;
}

if (!isMainThread && parentPort !== null) listen(parentPort);

function listen(port: NonNullable<typeof parentPort>): void {
  const memories: WebAssembly.Memory[] = [];
  const instances: (Kernels | undefined)[] = [];
  const wideInstances: (Kernels | undefined)[] = [];
  const sessions = new Map<number, SessionPlan>();
  let start: MemberStart | undefined;
  let model: Model | undefined;
  let ops: Operations | undefined;
  let profiled: ProfiledOperations | undefined;

  const answer = (message: MemberAnswer): void => port.postMessage(message);

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

  function memberOf({ index, count, product, barrierAddress }: MemberStart): Member {
    return {
      index,
      count,
      kernels: kernelsOf,
      ternaryProduct: (region) => ternaryKernel(wideKernelsOf(region), product.form),
      ternaryGroupsProduct: (region, size) => ternaryGroupsKernel(wideKernelsOf(region), product.form, size),
      attentionKernels: product.wideAttention ? wideKernelsOf : kernelsOf,
      bytes: (region) => new Uint8Array(memories[region]?.buffer ?? new ArrayBuffer(0)),
      barrier(): void {
        if (count > 1) waitForTeam(kernelsOf(0), barrierAddress, count);
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

  function run({ job, session, batch }: ForwardJob): void {
    const plan = sessions.get(session);
    if (model === undefined || ops === undefined || plan === undefined)
      throw new Error("told to work before being set up");
    ops.begin(plan, batch.tokens.length);
    forward(model, plan, batch, ops);
    if (start?.index === 0) answer({ kind: "done", job, ...(profiled && { profile: profiled.take() }) });
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
        ops = createOperations(model, memberOf(start));
        if (start.profile) {
          profiled = profileOperations(ops);
          ops = profiled.operations;
        }
        return;
      case "session":
        sessions.set(message.plan.id, message.plan);
        return;
      case "forget":
        sessions.delete(message.session);
        return;
      case "meet":
        meet(message);
        return;
      case "packHalves":
        packHalves(message);
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
