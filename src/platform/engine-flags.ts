import * as v8 from "node:v8";
import * as vm from "node:vm";

/**
 * Switches relaxed SIMD on in V8 11.3 (Node.js 20), which has it behind a flag. Newer engines need no flag.
 * Older ones print a warning for an unknown flag, so the version decides. Must run before the first module is
 * compiled. Running it twice is harmless.
 */
export function enableRelaxedSimd(): void {
  const engine = process.versions.v8 as string | undefined;
  if (engine?.startsWith("11.3.") !== true || process.versions.bun !== undefined) return;
  v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
}

/**
 * Whether the engine has V8's revectorizer and can switch it on while running. The revectorizer joins two
 * neighbouring 128-bit operations into one of 256 bits.
 */
export function hasRevectorizer(): boolean {
  if (process.versions.bun !== undefined || "deno" in process.versions || process.arch !== "x64")
    return false;
  const [major = 0, minor = 0] = (process.versions.v8 as string | undefined)?.split(".").map(Number) ?? [];
  // 13.6 is the first version whose flag may be set while running. Untested versions are left alone.
  return (major === 13 && minor >= 6) || major === 14;
}

/**
 * Runs `action` with the revectorizer on, if there is one. The flag is experimental and holds for the whole
 * process. So it is on only while the code in question is optimised.
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

/**
 * Collects garbage, where the engine lets a program ask for it. Only a collection frees WebAssembly memories,
 * and engines do not hurry: after four models of 270 MB, one after another, a process had 828 MiB without
 * this, and 114 MiB with it.
 */
export function collectGarbage(): void {
  const { Bun: bun } = globalThis as { readonly Bun?: { gc(): void } };
  if (bun !== undefined) bun.gc();
  else if (!("deno" in process.versions)) nodeCollector()();
}

let collector: (() => void) | undefined;

function nodeCollector(): () => void {
  if (collector === undefined) {
    // The flag adds "gc" to new contexts only.
    v8.setFlagsFromString("--expose-gc");
    collector = vm.runInNewContext("gc") as () => void;
    v8.setFlagsFromString("--no-expose-gc");
  }
  return collector;
}
