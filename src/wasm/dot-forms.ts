import type { GroupSize, Kernels } from "./kernels.js";

/**
 * Dot form of ternary matmuls (assembly/simd/dot): the integer width that sums accumulate in. All forms give
 * the same integers. Only i8 exists in the simd128 build.
 */
export type DotForm = "i8" | "i16" | "i32";
export const dotForms: readonly DotForm[] = ["i8", "i16", "i32"];

/** Names of the kernels of each form. */
const kernelNames = {
  i8: {
    rows: "matmul_ternary_i8_dot_i8",
    listed: "matmul_ternary_listed_i8_dot_i8",
    64: "matmul_ternary_groups64_i8_dot_i8",
    128: "matmul_ternary_groups128_i8_dot_i8",
  },
  i16: {
    rows: "matmul_ternary_i8_dot_i16",
    listed: "matmul_ternary_listed_i8_dot_i16",
    64: "matmul_ternary_groups64_i8_dot_i16",
    128: "matmul_ternary_groups128_i8_dot_i16",
  },
  i32: {
    rows: "matmul_ternary_i8_dot_i32",
    listed: "matmul_ternary_listed_i8_dot_i32",
    64: "matmul_ternary_groups64_i8_dot_i32",
    128: "matmul_ternary_groups128_i8_dot_i32",
  },
} as const satisfies Record<DotForm, Record<"rows" | "listed" | GroupSize, keyof Kernels>>;

/** The matmul of ternary rows in one form. */
export function ternaryKernel(kernels: Kernels, form: DotForm): Kernels["matmul_ternary_i8_dot_i8"] {
  return kernels[kernelNames[form].rows];
}

/** The matmul of listed ternary rows in one form. */
export function listedTernaryKernel(
  kernels: Kernels,
  form: DotForm,
): Kernels["matmul_ternary_listed_i8_dot_i8"] {
  return kernels[kernelNames[form].listed];
}

/** The matmul of ternary weights in groups of `size`, in one form. */
export function ternaryGroupsKernel(
  kernels: Kernels,
  form: DotForm,
  size: GroupSize,
): Kernels["matmul_ternary_groups64_i8_dot_i8"] {
  return kernels[kernelNames[form][size]];
}
