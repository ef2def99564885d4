import { type LookupMatmul, lookupSteps, runLookupStep, type LookupRival } from "../wasm/lookups.js";
import type { MatmulKernels, MatmulOutput } from "./layouts/layout.js";

/**
 * Multiplies the first tokens by lookup tables: as many as are faster so.
 *
 * @param matmul the operands except the output.
 * @returns the number of tokens done.
 */
export function multiplyByLookup(
  worker: MatmulKernels,
  region: number,
  { lookup, address, stride, begin, end, accumulate }: MatmulOutput,
  matmul: Omit<LookupMatmul, "address" | "stride" | "begin" | "end" | "accumulate"> & {
    readonly tokens: number;
  },
): number {
  if (!worker.lookup || lookup === undefined) return 0;
  const kernels = worker.lookupKernels(region);
  const hasWideTiles = worker.wideTiles && matmul.codes === "ternary" && matmul.groups === undefined;
  const rival: LookupRival = hasWideTiles
    ? "wideTiles"
    : worker.kernels256(region) === worker.kernels(region)
      ? "narrow"
      : "wide";
  let done = 0;
  for (const step of lookupSteps(matmul.tokens, rival, matmul.codes)) {
    runLookupStep(kernels, { ...matmul, address, stride, begin, end, accumulate }, step, lookup);
    done = step.first + step.tokens;
  }
  return done;
}
