import type { Profile } from "../graph/profile.js";
import type { Sparsity } from "../model/model.js";
import { checkWhole, invalidOption } from "../options/checks.js";
import { refuseUnknownOptions } from "../options/known-options.js";
import { type KernelBuild, kernelBuilds } from "../wasm/kernel-build.js";
import { type DotForm, dotForms } from "../wasm/dot-forms.js";
import { maxRegionBytes, pageBytes } from "../wasm/memory.js";

/**
 * Knobs for tests, benchmarks and experiments. The defaults come from probing the host, and no knob changes a
 * token.
 *
 * **Unstable**: any release may rename, change or remove them.
 */
export interface EngineOptions {
  /**
   * Build of the kernels. Loading fails if the host cannot run it. Default: the best build that the host
   * runs.
   */
  readonly kernelBuild?: KernelBuild | undefined;
  /** Integer width in which ternary matmuls accumulate. Default: the fastest that passes the self-test. */
  readonly dotForm?: DotForm | undefined;
  /**
   * False uses 128-bit kernels only. True allows 256-bit kernels. V8's experimental revectorizer makes them,
   * and they run if the self-test finds them correct and faster. Default: true.
   */
  readonly kernels256?: boolean | undefined;
  /**
   * False never multiplies by lookup tables. True allows them for passes of many tokens, where they are
   * measured to be faster. Default: true.
   */
  readonly lookup?: boolean | undefined;
  /**
   * Parts of the work of each thread, such as [2, 1]. Positive numbers, as many as threads. Default: equal
   * parts, which follow the measured speed of each thread. The results are the same bits.
   */
  readonly shares?: readonly number[] | undefined;
  /** Measures the time of each operation and reports it after every pass. Default: no measuring. */
  readonly onProfile?: ((profile: Profile) => void) | undefined;
  /**
   * Maximum bytes of one WebAssembly memory; a larger model is split over several. A multiple of 64 KiB, from
   * 128 KiB to 4 GiB. Default: 4 GiB.
   */
  readonly regionBytes?: number | undefined;
  /**
   * Form of the output head in memory. "whole": as in the file. "screened": an int8 copy, half as large,
   * which selects the few rows to read from the file; the logits that matter are the same. Default: "auto",
   * which screens F16 heads of 64 MiB and more.
   */
  readonly head?: "auto" | "whole" | "screened" | undefined;
  /**
   * Whether matmuls skip zero activations in models with a squared ReLU. The bits are the same. "on": always.
   * "off": never, which saves a second copy of `down`. Default: "auto", which skips where it is measured to
   * be faster.
   */
  readonly sparsity?: Sparsity | undefined;
}

const knownOptions: Record<keyof EngineOptions, true> = {
  kernelBuild: true,
  dotForm: true,
  kernels256: true,
  lookup: true,
  shares: true,
  onProfile: true,
  regionBytes: true,
  head: true,
  sparsity: true,
};

/** Checks options from a caller, who may not use TypeScript. @throws BitNetError INVALID_ARGUMENT. */
export function checkEngineOptions(options: EngineOptions = {}): void {
  refuseUnknownOptions("loadModel's engine", options, Object.keys(knownOptions));
  const { kernels256, lookup, shares, onProfile, regionBytes } = options;
  for (const [option, choices] of [
    ["kernelBuild", kernelBuilds],
    ["dotForm", dotForms],
    ["head", ["auto", "whole", "screened"]],
    ["sparsity", ["auto", "on", "off"]],
  ] as const) {
    const value = options[option];
    if (value === undefined || (choices as readonly string[]).includes(value)) continue;
    throw invalidOption(option, value, choices.map((choice) => `"${choice}"`).join(", "));
  }
  for (const [option, value] of Object.entries({ kernels256, lookup })) {
    if (value !== undefined && typeof value !== "boolean")
      throw invalidOption(option, value, "true or false");
  }
  if (shares !== undefined && !(Array.isArray(shares) && shares.every((part) => part > 0 && part < Infinity)))
    throw invalidOption("shares", shares, "a list of positive numbers");
  if (onProfile !== undefined && typeof onProfile !== "function")
    throw invalidOption("onProfile", onProfile, "a function");
  if (regionBytes === undefined) return;
  checkWhole("regionBytes", regionBytes, 2 * pageBytes, maxRegionBytes);
  if (regionBytes % pageBytes !== 0)
    throw invalidOption("regionBytes", regionBytes, `a multiple of ${pageBytes}`);
}
