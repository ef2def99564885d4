import { instantiateSync } from "@assemblyscript/loader";
import { BitNetError } from "../errors.js";
import { enableRelaxedSimd } from "../platform/engine-flags.js";
import type { Kernels } from "./kernels.js";

/** A build of the kernels: with WebAssembly's relaxed SIMD, or without. Both compute the same bits. */
export type KernelBuild = "relaxed" | "simd128";
/** Best first. */
export const kernelBuilds: readonly KernelBuild[] = ["relaxed", "simd128"];

export interface CompiledKernels {
  readonly build: KernelBuild;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly module: WebAssembly.Module;
}

/**
 * Compiles the best build that this host accepts, or the one asked for. The host is asked by validating the build itself,
 * never by its name or version.
 *
 * @throws BitNetError UNSUPPORTED_RUNTIME where not even SIMD128 and threads are there.
 */
export async function compileKernels(wanted?: KernelBuild): Promise<CompiledKernels> {
  enableRelaxedSimd();
  for (const build of wanted === undefined ? kernelBuilds : [wanted]) {
    const bytes = await kernelBytes(build);
    if (WebAssembly.validate(bytes)) return { build, bytes, module: await WebAssembly.compile(bytes) };
  }
  throw new BitNetError(
    "UNSUPPORTED_RUNTIME",
    `This JavaScript runtime cannot run the ${wanted ?? "simd128"} kernels: WebAssembly SIMD and shared memory are needed ` +
      "(Node.js 20.19, Deno 2 or Bun 1.1 and newer have them)",
  );
}

/** The bytes of a build; only the one that is used is ever decoded. */
async function kernelBytes(build: KernelBuild): Promise<Uint8Array<ArrayBuffer>> {
  const { wasmBase64 } =
    build === "relaxed" ? await import("./generated/relaxed.js") : await import("./generated/simd128.js");
  return Uint8Array.from(atob(wasmBase64), (character) => character.charCodeAt(0));
}

/**
 * Compiles the same kernels once more, now. Engines share the code of equal bytes, so the copy is made different by an empty
 * custom section.
 */
export function compileCopy({ bytes }: CompiledKernels): WebAssembly.Module {
  const customSection = [0, 2, 1, 0x32];
  const copy = new Uint8Array(bytes.length + customSection.length);
  copy.set(bytes);
  copy.set(customSection, bytes.length);
  return new WebAssembly.Module(copy);
}

/** An instance of the kernels over one memory; every thread makes its own. */
export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return instantiateSync<Kernels>(module, { env: { memory } }).exports;
}
