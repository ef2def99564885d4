import * as v8 from "node:v8";

/**
 * Switches relaxed SIMD on where the engine has it behind a flag: V8 11.3 (Node.js 20). Newer engines have it on, and older
 * ones print to stderr when they meet a flag they do not know, so the version decides. Must run before the first module is
 * compiled to take effect; running it again is harmless.
 */
export function enableRelaxedSimd(): void {
  const engine = process.versions.v8 as string | undefined;
  if (engine?.startsWith("11.3.") !== true || process.versions.bun !== undefined) return;
  v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
}
