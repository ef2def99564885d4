import type { TensorInfo } from "../files/model-file.js";
import type { BitNetError } from "../errors.js";
import type { Kernels } from "../wasm/kernels.js";
import type { Location } from "../wasm/memory.js";
import { corrupt, type Packing, type Piece } from "./packing.js";

/** Float formats that a check finds bad numbers in, by name of the weight format. */
export type FloatType = "F32" | "F16" | "BF16";

interface FloatCheck {
  readonly bytes: number;
  /** Returns 0, or 1 + the index of the first value that is not finite. */
  check(kernels: Kernels, address: number, count: number): number;
}

const floatChecks: Readonly<Record<FloatType, FloatCheck>> = {
  F32: { bytes: 4, check: (kernels, address, count) => kernels.check_finite_f32(address, count) },
  F16: { bytes: 2, check: (kernels, address, count) => kernels.check_finite_16(address, count, 0x7c00) },
  BF16: { bytes: 2, check: (kernels, address, count) => kernels.check_finite_16(address, count, 0x7f80) },
};

/** Index of the first f32 that is infinite or NaN; undefined if there is none. */
export function firstNotFinite(
  { kernels }: Pick<Packing, "kernels">,
  { region, address }: Location,
  count: number,
): number | undefined {
  const found = floatChecks.F32.check(kernels(region), address, count);
  return found === 0 ? undefined : found - 1;
}

/** @throws BitNetError FILE_CORRUPT with the index of a weight in the piece that is infinite or NaN. */
export function requireFinitePiece(
  packing: Packing,
  tensor: TensorInfo,
  type: FloatType,
  { region, address, bytes, begin }: Piece & { readonly region: number },
): void {
  const format = floatChecks[type];
  const found = format.check(packing.kernels(region), address, bytes / format.bytes);
  if (found !== 0) throw notFinite(packing, tensor, begin / format.bytes + found - 1);
}

/** @param index of the element of the tensor that is infinite or NaN. */
export function notFinite(packing: Packing, tensor: TensorInfo, index: number): BitNetError {
  const { format } = tensor;
  const blockElements = format?.blockElements ?? 1;
  const begin = Math.floor(index / blockElements) * (format?.tensorBytes(blockElements) ?? 0);
  return corrupt(packing, tensor, begin, `element ${index} is not a finite number`, index);
}
