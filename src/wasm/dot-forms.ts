import type { AffineKind } from "./affine-kinds.js";
import type { GroupSize, Kernels } from "./kernels.js";

/**
 * Dot form of ternary and affine matmuls (assembly/simd/dot): the integer width that sums accumulate in. All
 * forms give the same integers. Only i8 exists in the simd128 build.
 */
export type DotForm = "i8" | "i16" | "i32";
export const dotForms: readonly DotForm[] = ["i8", "i16", "i32"];

type KernelKind =
  | "rows"
  | "listed"
  | "int8"
  | "int8Pairs"
  | GroupSize
  | "base3"
  | "base3Listed"
  | "base3Groups"
  | AffineKind["name"];

/** Names of the kernels of each form. */
const kernelNames = {
  i8: {
    rows: "matmul_ternary_i8_dot_i8",
    listed: "matmul_ternary_listed_i8_dot_i8",
    64: "matmul_ternary_groups64_i8_dot_i8",
    128: "matmul_ternary_groups128_i8_dot_i8",
    base3: "matmul_base3_i8_dot_i8",
    base3Listed: "matmul_base3_listed_i8_dot_i8",
    base3Groups: "matmul_base3_groups_i8_dot_i8",
    int8: "matmul_i8_i14_dot_i8",
    int8Pairs: "matmul_i8_i14_pairs_dot_i8",
    "affine-4-32": "matmul_affine4_32_i8_dot_i8",
    "affine-4-32-min": "matmul_affine4_32_min_i8_dot_i8",
    "affine-6-32": "matmul_affine6_32_i8_dot_i8",
    "affine-6-32-min": "matmul_affine6_32_min_i8_dot_i8",
    "affine-6-16": "matmul_affine6_16_i8_dot_i8",
    "affine-6-16-min": "matmul_affine6_16_min_i8_dot_i8",
    "affine-8-32": "matmul_affine8_32_i8_dot_i8",
  },
  i16: {
    rows: "matmul_ternary_i8_dot_i16",
    listed: "matmul_ternary_listed_i8_dot_i16",
    64: "matmul_ternary_groups64_i8_dot_i16",
    128: "matmul_ternary_groups128_i8_dot_i16",
    base3: "matmul_base3_i8_dot_i16",
    base3Listed: "matmul_base3_listed_i8_dot_i16",
    base3Groups: "matmul_base3_groups_i8_dot_i16",
    int8: "matmul_i8_i14_dot_i16",
    int8Pairs: "matmul_i8_i14_pairs_dot_i16",
    "affine-4-32": "matmul_affine4_32_i8_dot_i16",
    "affine-4-32-min": "matmul_affine4_32_min_i8_dot_i16",
    "affine-6-32": "matmul_affine6_32_i8_dot_i16",
    "affine-6-32-min": "matmul_affine6_32_min_i8_dot_i16",
    "affine-6-16": "matmul_affine6_16_i8_dot_i16",
    "affine-6-16-min": "matmul_affine6_16_min_i8_dot_i16",
    "affine-8-32": "matmul_affine8_32_i8_dot_i16",
  },
  i32: {
    rows: "matmul_ternary_i8_dot_i32",
    listed: "matmul_ternary_listed_i8_dot_i32",
    64: "matmul_ternary_groups64_i8_dot_i32",
    128: "matmul_ternary_groups128_i8_dot_i32",
    base3: "matmul_base3_i8_dot_i32",
    base3Listed: "matmul_base3_listed_i8_dot_i32",
    base3Groups: "matmul_base3_groups_i8_dot_i32",
    int8: "matmul_i8_i14_dot_i32",
    int8Pairs: "matmul_i8_i14_pairs_dot_i32",
    "affine-4-32": "matmul_affine4_32_i8_dot_i32",
    "affine-4-32-min": "matmul_affine4_32_min_i8_dot_i32",
    "affine-6-32": "matmul_affine6_32_i8_dot_i32",
    "affine-6-32-min": "matmul_affine6_32_min_i8_dot_i32",
    "affine-6-16": "matmul_affine6_16_i8_dot_i32",
    "affine-6-16-min": "matmul_affine6_16_min_i8_dot_i32",
    "affine-8-32": "matmul_affine8_32_i8_dot_i32",
  },
} as const satisfies Record<DotForm, Record<KernelKind, keyof Kernels>>;

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

/** The matmul of base-3 rows in one form. */
export function base3Kernel(kernels: Kernels, form: DotForm): Kernels["matmul_base3_i8_dot_i8"] {
  return kernels[kernelNames[form].base3];
}

/** The matmul of listed base-3 rows in one form. */
export function listedBase3Kernel(kernels: Kernels, form: DotForm): Kernels["matmul_base3_listed_i8_dot_i8"] {
  return kernels[kernelNames[form].base3Listed];
}

/** The matmul of base-3 weights with a scale per 256, in one form. */
export function base3GroupsKernel(kernels: Kernels, form: DotForm): Kernels["matmul_base3_groups_i8_dot_i8"] {
  return kernels[kernelNames[form].base3Groups];
}

/** The matmul of int8 rows, in one form. */
export function int8Kernel(kernels: Kernels, form: DotForm): Kernels["matmul_i8_i14_dot_i8"] {
  return kernels[kernelNames[form].int8];
}

/** The same with 32 columns a step, for 256 bits. */
export function int8PairsKernel(kernels: Kernels, form: DotForm): Kernels["matmul_i8_i14_pairs_dot_i8"] {
  return kernels[kernelNames[form].int8Pairs];
}

/** The matmul of affine panels of a kind, in one form. */
export function affineKernel(
  kernels: Kernels,
  form: DotForm,
  kind: AffineKind["name"],
): Kernels["matmul_affine6_32_i8_dot_i8"] {
  return kernels[kernelNames[form][kind]];
}
