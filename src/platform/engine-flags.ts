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

/**
 * Whether the engine has V8's revectorizer, which makes one 256-bit operation of two neighbouring 128-bit ones, in a form that
 * may be switched on while running.
 */
export function hasRevectorizer(): boolean {
  if (process.versions.bun !== undefined || "deno" in process.versions || process.arch !== "x64")
    return false;
  const [major = 0, minor = 0] = (process.versions.v8 as string | undefined)?.split(".").map(Number) ?? [];
  // 13.6 is the first with a flag that may be set while running; versions not tried yet are left alone.
  return (major === 13 && minor >= 6) || major === 14;
}

/**
 * Runs something while the revectorizer is on, where there is one. It is experimental and a flag of the whole process, so it
 * is on only for as long as the code that is meant for it takes to be optimised, and off again after.
 */
export function withRevectorizer<T>(action: () => T): T {
  if (!hasRevectorizer()) return action();
  v8.setFlagsFromString("--experimental-wasm-revectorize");
  try {
    return action();
  } finally {
    v8.setFlagsFromString("--no-experimental-wasm-revectorize");
  }
}
