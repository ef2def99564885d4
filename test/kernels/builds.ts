import { readFileSync } from "node:fs";
import { enableRelaxedSimd } from "#dist/platform/engine-flags.js";
import { instantiateKernels } from "#dist/wasm/kernel-build.js";
import type { DotForm } from "#dist/wasm/dot-forms.js";
import type { Kernels } from "#dist/wasm/kernels.js";
import { createMemories } from "#dist/wasm/memory.js";
import { chooseForm } from "#dist/wasm/choose-matmul.js";
import { createMatmulSelfTest } from "#dist/wasm/matmul-self-test.js";

/**
 * Every build of the kernels. "debug" is not shipped. It is unoptimised and has its assertions, so it follows
 * the source most directly.
 */
export const buildNames = ["debug", "simd128", "relaxed"] as const;
export type BuildName = (typeof buildNames)[number];

export interface Build {
  readonly name: BuildName;
  readonly module: WebAssembly.Module;
}

/** The builds that this host accepts, compiled. */
export async function compileBuilds(): Promise<readonly Build[]> {
  enableRelaxedSimd();
  const builds: Build[] = [];
  for (const name of buildNames) {
    const bytes = new Uint8Array(readFileSync(new URL(`../../build/${name}.wasm`, import.meta.url)));
    if (WebAssembly.validate(bytes)) builds.push({ name, module: await WebAssembly.compile(bytes) });
  }
  return builds;
}

/**
 * Whether this engine now computes a relaxed form correctly. Node 20's baseline compiler doubles the 32-bit
 * relaxed dot product. The library's self-test refuses such an engine, so the twin test is skipped.
 */
export function formWorks(build: Build, form: DotForm): boolean {
  const memories = createMemories(4 << 20);
  const { memory } = memories.addRegion();
  try {
    chooseForm("relaxed", instantiateKernels(build.module, memory), createMatmulSelfTest(memories), form);
    return true;
  } catch {
    return false;
  }
}

/** The names of a build's kernels, as the module exports them. */
export function kernelNames(build: Build): string[] {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536, shared: true });
  const kernels: Kernels = instantiateKernels(build.module, memory);
  return Object.entries(kernels)
    .filter(([name, value]) => typeof value === "function" && !name.startsWith("__"))
    .map(([name]) => name)
    .sort();
}
