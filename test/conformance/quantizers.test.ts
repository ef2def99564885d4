import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { weightFormatByName, weightFormats, type WeightFormat } from "#dist/weight-formats/index.js";
import { committedGoldenPath } from "../support/golden-path.js";
import { blockInputs, floatInputs, ternaryInputs } from "./quantizer-inputs.js";

interface NativeHashes {
  /**
   * SHA-256 of the input, of its encoding, of random blocks and of their decoded float32 numbers. Formats
   * without an encoder lack the first two.
   */
  readonly input?: string;
  readonly encoded?: string;
  readonly blocks: string;
  readonly decoded: string;
}

const native = JSON.parse(readFileSync(committedGoldenPath("quantizers/hashes.json"), "utf8")) as Readonly<
  Record<string, NativeHashes>
>;
/** Offsets of a block's scales, and the number of values of a code: 3 for TQ2_0. */
const scales: Readonly<Record<string, readonly number[]>> = {
  TQ1_0: [52],
  TQ2_0: [64],
  Q1_0: [0],
  Q2_0: [0],
  Q4_0: [0],
  Q5_0: [0],
  Q8_0: [0],
  Q4_1: [0, 2],
  Q5_1: [0, 2],
  Q2_K: [80, 82],
  Q3_K: [108],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
  IQ4_NL: [0],
  IQ4_XS: [0],
  // The byte of the exponent stays below 255.
  MXFP4: [-1],
};

describe("block formats against GGML's own code", () => {
  it("covers every block format but the fork's, which is Q2_0 with longer blocks", () => {
    const blocks = weightFormats.filter((format) => format.blockElements > 1 && format.name !== "I2_S");
    expect(Object.keys(native).sort()).toEqual(
      blocks
        .map(({ name }) => name)
        .filter((name) => name !== "Q2_0_G128")
        .sort(),
    );
  });

  it("encodes every format that it covered before reading-only formats came", () => {
    const encoded = Object.keys(native).filter((name) => native[name]?.encoded !== undefined);
    expect(encoded.sort()).toEqual(
      ["Q1_0", "Q2_0", "Q4_0", "Q4_K", "Q5_0", "Q6_K", "Q8_0", "TQ1_0", "TQ2_0"].sort(),
    );
  });

  it.each(Object.keys(native))("%s encodes and decodes to the same bytes", (name) => {
    const format = weightFormatByName(name) as WeightFormat;
    const { input, blocks } = inputsOf(format);
    const elements = (blocks.length / format.tensorBytes(format.blockElements)) * format.blockElements;
    expect({
      ...(format.encode && { input: hash(input), encoded: hash(format.encode(input)) }),
      blocks: hash(blocks),
      // Adding 0 turns −0 into 0.
      decoded: hash(format.decode(blocks, elements).map((value) => value + 0)),
    }).toEqual(native[name]);
  });
});

function inputsOf(format: WeightFormat): { readonly input: Float32Array; readonly blocks: Uint8Array } {
  const { name, ternary, blockElements } = format;
  return {
    input: ternary ? ternaryInputs(blockElements, name !== "Q1_0") : floatInputs(),
    blocks: blockInputs(format.tensorBytes(blockElements), scales[name] ?? [], name === "TQ2_0" ? 3 : 4),
  };
}

function hash(array: Uint8Array | Float32Array): string {
  return createHash("sha256")
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest("hex");
}
