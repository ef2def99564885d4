/** Rows of a panel (assembly/kernels/matmul-affine). */
export const affinePanelRows = 8;

/** A layout of affine panels: the storage of codes, and the numbers of a group. */
export interface AffineKind {
  /** Name of the layout. */
  readonly name:
    | "affine-4-32"
    | "affine-4-32-min"
    | "affine-6-32"
    | "affine-6-32-min"
    | "affine-6-16"
    | "affine-6-16-min"
    | "affine-8-32";
  /** Bits of a stored code. Four bits are half a byte, six and eight a byte. */
  readonly bits: 4 | 6 | 8;
  /** Columns that share a scale. */
  readonly group: 16 | 32;
  /** Whether groups have a minimum. Then stored codes are those of the format, else 2 ** (bits − 1) more. */
  readonly minima: boolean;
}

/** A kind whose name ends in -min if it has minima. */
function kind(name: AffineKind["name"], bits: AffineKind["bits"], group: AffineKind["group"]): AffineKind {
  return { name, bits, group, minima: name.endsWith("-min") };
}

export const affineKinds: readonly AffineKind[] = [
  kind("affine-4-32", 4, 32),
  kind("affine-4-32-min", 4, 32),
  kind("affine-6-32", 6, 32),
  kind("affine-6-32-min", 6, 32),
  kind("affine-6-16", 6, 16),
  kind("affine-6-16-min", 6, 16),
  kind("affine-8-32", 8, 32),
];

/** A stored code minus the format's code. */
export function codeOffset({ bits, minima }: AffineKind): number {
  return minima ? 0 : 2 ** (bits - 1);
}

/** Bytes of a group's codes in 8 rows. */
export function groupCodeBytes({ bits, group }: AffineKind): number {
  return bits === 4 ? group * 4 : group * 8;
}

/** Bytes of a row: its codes, and an f32 or two for each group. */
export function affineRowBytes({ bits, group, minima }: AffineKind, cols: number): number {
  return (bits === 4 ? cols / 2 : cols) + (cols / group) * (minima ? 8 : 4);
}
