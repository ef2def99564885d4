import type { GroupSize, Kernels, MatmulTernaryGroups, TernaryForm } from "../wasm/kernels.js";

/** What one thread of the team is and has. */
export interface Member {
  /** 0 … count − 1. */
  readonly index: number;
  readonly count: number;
  /** This thread's kernels over a region. */
  kernels(region: number): Kernels;
  /** The ternary product over a region, in the form that is fastest here. */
  ternaryProduct(region: number): Kernels["matmul_ternary_i8_plain"];
  /** The same for weights in groups. */
  ternaryGroupsProduct(region: number, size: GroupSize): MatmulTernaryGroups;
  /** The kernels to take products of lists of rows from, and the form of the product that is fastest here. */
  sparseKernels(region: number): Kernels;
  readonly form: TernaryForm;
  /** The kernels to take attention from. */
  attentionKernels(region: number): Kernels;
  /** The bytes of a region, for moving rows between regions. */
  bytes(region: number): Uint8Array;
  /** Returns when all members have called it. @throws if the team is broken. */
  barrier(): void;
}

/** [begin, end) of `count` things for a member, in multiples of `granule`; ranges follow one another without gaps. */
export function share(
  count: number,
  member: { readonly index: number; readonly count: number },
  granule = 1,
): [number, number] {
  const granules = Math.ceil(count / granule);
  const begin = Math.floor((granules * member.index) / member.count) * granule;
  const end = Math.floor((granules * (member.index + 1)) / member.count) * granule;
  return [Math.min(begin, count), Math.min(end, count)];
}
