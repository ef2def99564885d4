import type { MatrixRole } from "../../architectures/description.js";
import type { TensorInfo } from "../../files/model-file.js";
import { type AffineKind, affineKinds, affinePanelRows, affineRowBytes } from "../../wasm/affine-kinds.js";
import { createAffineSelfTest } from "../../wasm/affine-self-test.js";
import { affineKernel } from "../../wasm/dot-forms.js";
import { packPanels } from "../affine-panels.js";
import { blocksInput, quantizedRows } from "../input-formats.js";
import type { Packing } from "../packing.js";
import type { Layout, Packer, PackedParts } from "./layout.js";

/** The formats of each kind. IQ4 has codes out of a table of −127…113. */
const formatsOf: Readonly<Record<AffineKind["name"], readonly string[]>> = {
  "affine-4-32": ["Q4_0"],
  "affine-4-32-min": ["Q4_1", "Q4_K"],
  "affine-6-32": ["Q5_0", "MXFP4"],
  "affine-6-32-min": ["Q5_1", "Q5_K"],
  "affine-6-16": ["Q3_K", "Q6_K"],
  "affine-6-16-min": ["Q2_K"],
  "affine-8-32": ["Q8_0", "IQ4_NL", "IQ4_XS"],
};

/** GGUF's usual quantizations: integer codes with a scale, and in some a minimum, per 32 or 16 weights. */
export const affineLayouts: readonly Layout[] = affineKinds.map(affineLayout);

function affineLayout(kind: AffineKind): Layout {
  return {
    name: kind.name,
    ternary: false,
    rowsTogether: affinePanelRows,
    weightBytes: (cols) => affineRowBytes(kind, cols),
    recordBytes: () => 0,
    inputFormat: blocksInput,
    packers: Object.fromEntries(formatsOf[kind.name].map((name) => [name, affinePacker(kind)])),
    readRow: (kernels, { address, cols }, row, outputAddress) =>
      kernels.row_affine(address, kind.bits, kind.group, kind.minima ? 1 : 0, cols, row, outputAddress),
    multiply(worker, { region, address, cols, scale }, { quantized, tokens }, output) {
      const { values, records } = quantizedRows(quantized, blocksInput);
      const { begin, end, address: y, stride, scratch } = output;
      const accumulate = output.accumulate ? 1 : 0;
      const kernel = affineKernel(worker.kernels256(region), worker.form, kind.name);
      kernel(address, cols, begin, end, values, records, tokens, y, stride, scratch, scale, accumulate);
    },
    selfTest: (memories) => createAffineSelfTest(memories, kind),
  };
}

function affinePacker(kind: AffineKind): Packer {
  return {
    packedBytes: (rows, cols) => panelsBytes(kind, rows, cols),
    pack: (packing, tensor, role, region) => packAffine(packing, tensor, role, { region, kind }),
  };
}

function panelsBytes(kind: AffineKind, rows: number, cols: number): number {
  return Math.ceil(rows / affinePanelRows) * affinePanelRows * affineRowBytes(kind, cols);
}

async function packAffine(
  packing: Packing,
  tensor: TensorInfo,
  { rows, cols }: MatrixRole,
  { region, kind }: { readonly region: number; readonly kind: AffineKind },
): Promise<PackedParts> {
  const address = packing.memories.allocate(region, panelsBytes(kind, rows, cols), `tensor "${tensor.name}"`);
  await packPanels(packing, tensor, { kind, rows, cols, region, address });
  return { address };
}
