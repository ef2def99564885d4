import { instantiateSync } from "@assemblyscript/loader";
import { BitNetError } from "../errors.js";
import { enableRelaxedSimd, inflate } from "#platform";
import type { Kernels } from "./kernels.js";
import { applyPatch } from "./patch.js";

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
 * Compiles the wanted build, or the best one that this host accepts. Validating the build itself decides, not
 * the name or version of the host.
 *
 * @throws BitNetError UNSUPPORTED_RUNTIME without SIMD128 or threads.
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
      "(Node.js 20.19, Deno 2 or Bun 1.2 and newer have them)",
  );
}

/** The bytes of a build. Two thirds of the relaxed build are in the other one, so it is kept as a patch. */
async function kernelBytes(build: KernelBuild): Promise<Uint8Array<ArrayBuffer>> {
  const simd128 = inflateBase64((await import("./generated/simd128.js")).deflatedBase64);
  if (build === "simd128") return simd128;
  const patch = inflateBase64((await import("./generated/relaxed-patch.js")).deflatedBase64);
  return applyPatch(await simd128, await patch);
}

function inflateBase64(base64: string): Promise<Uint8Array<ArrayBuffer>> {
  return inflate(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
}

/**
 * Compiles the same kernels again. Engines share the code of equal bytes, so an empty custom section makes
 * the bytes differ.
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
