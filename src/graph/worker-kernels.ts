import { instantiateKernels } from "../wasm/kernel-build.js";
import type { PassForm } from "../wasm/choose-matmul.js";
import type { Kernels } from "../wasm/kernels.js";
import { waitForTeam, type WorkerStart } from "../wasm/team.js";
import type { WorkerContext } from "./worker-context.js";

/** A worker's memories, and its instances of the kernels over them. */
export interface WorkerKernels {
  readonly context: WorkerContext;
  addRegion(index: number, memory: WebAssembly.Memory): void;
  /** Sets the number of workers that run the next job, all or 1, and their shares. Default: equal ones. */
  setWorkers(count: number, shares?: readonly number[]): void;
  /** The milliseconds in which the worker waited for others since the last call. */
  takeWaited(): number;
  /** Sets the matmuls of the next pass. */
  setForm(form: PassForm): void;
  /** Makes the instances of all regions now. */
  instantiateAll(): void;
}

export function createWorkerKernels(start: WorkerStart): WorkerKernels {
  const { index, module, matmul } = start;
  const { module256 } = matmul;
  const memories: WebAssembly.Memory[] = [];
  let count = start.count;
  let shares: readonly number[] | undefined;
  let waited = 0;
  let { form } = matmul;
  let lookup = false;

  function instances(of: WebAssembly.Module): (region: number) => Kernels {
    const made: (Kernels | undefined)[] = [];
    return (region) => {
      const known = made[region];
      if (known !== undefined) return known;
      const memory = memories[region];
      if (memory === undefined) throw new Error(`memory ${region} is not known here`);
      return (made[region] = instantiateKernels(of, memory));
    };
  }
  const kernels = instances(module);
  const kernels256 = module256 === undefined ? kernels : instances(module256);

  return {
    context: {
      index,
      get count() {
        return count;
      },
      get shares() {
        return shares;
      },
      get form() {
        return form;
      },
      get lookup() {
        return lookup;
      },
      kernels,
      kernels256,
      lookupKernels: matmul.lookup256 ? kernels256 : kernels,
      get wideTiles() {
        return matmul.wideTiles && form === "i32";
      },
      screenKernels: matmul.screen256 ? kernels256 : kernels,
      attentionForm: matmul.attentionForm,
      attentionKernels: matmul.attention256 ? kernels256 : kernels,
      bytes(region) {
        const memory = memories[region];
        // On Deno 2.9, `buffer` can lack what another thread has just grown. Growing by nothing renews it.
        memory?.grow(0);
        return new Uint8Array(memory?.buffer ?? new ArrayBuffer(0));
      },
      barrier(): void {
        const begun = performance.now();
        waitForTeam(kernels(0), start, count);
        waited += performance.now() - begun;
      },
    },
    addRegion(region, memory): void {
      memories[region] = memory;
    },
    setWorkers(chosen, parts): void {
      count = chosen;
      shares = chosen === 1 ? undefined : parts;
    },
    takeWaited(): number {
      const taken = waited;
      waited = 0;
      return taken;
    },
    setForm(chosen): void {
      lookup = chosen === "lookup";
      // Few tokens, and layouts without lookup tables, have a dot form nevertheless.
      form = chosen === "lookup" ? matmul.form : chosen;
    },
    instantiateAll(): void {
      for (const region of memories.keys()) {
        kernels(region);
        kernels256(region);
      }
    },
  };
}
