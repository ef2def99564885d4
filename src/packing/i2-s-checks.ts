import type { TensorInfo } from "../files/model-file.js";
import { corrupt, type Packing, type Piece } from "./packing.js";

/** The scale of an I2_S tensor. @throws BitNetError FILE_CORRUPT if it is not finite. */
export async function readI2sScale(packing: Packing, tensor: TensorInfo, codeBytes: number): Promise<number> {
  const tail = await tensor.source.read(tensor.offset + codeBytes, 4);
  const scale = new DataView(tail.buffer, tail.byteOffset).getFloat32(0, true);
  if (!Number.isFinite(scale)) throw corrupt(packing, tensor, codeBytes, `its scale is ${scale}`);
  return scale;
}

/** @throws BitNetError FILE_CORRUPT if a piece of an I2_S tensor has a code 3. */
export function requireI2sCodes(
  packing: Packing,
  tensor: TensorInfo,
  { region, address, bytes, begin }: Piece & { readonly region: number },
): void {
  const bad = packing.kernels(region).check_ternary(address, bytes);
  if (bad === 0) return;
  const problem = "it holds a code 3, which stands for no ternary weight";
  throw corrupt(packing, tensor, begin + (bad - 1) * 32, problem);
}
