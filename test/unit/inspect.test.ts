import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openModelFile } from "#dist/files/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { inspectModel, type Inspection } from "#dist/tools/inspect.js";
import { arrayOf, entry, f32, ggufBytes, tensor, text, u32, u64, type FileParts } from "../gguf-bytes.js";
import { storytellerPath } from "../golden-path.js";

async function inspect(bytes: Uint8Array): Promise<Inspection> {
  return inspectModel(await openModelFile(bytesSource(bytes)));
}
const inspectParts = (parts: FileParts): Promise<Inspection> => inspect(ggufBytes(parts));

describe("inspectModel", () => {
  it("describes the embedded model", async () => {
    const bytes = readFileSync(storytellerPath);
    const { architecture, metadata, tensors, summary } = await inspect(bytes);
    expect(architecture).toBe("bitnet-b1.58");
    expect(metadata["bitnet-b1.58.block_count"]).toBe(6);
    expect(metadata["tokenizer.ggml.tokens"]).toEqual({
      type: "string[]",
      length: 4096,
      first: ["!", '"', "#", "$", "%", "&", "'", "("],
    });
    expect(tensors.length).toBe(68);
    expect(tensors[0]).toEqual({
      name: "token_embd.weight",
      shape: [256, 4096],
      type: "F16",
      bytes: 2097152,
    });
    const ternary = 6 * (256 * 256 * 2 + 256 * 128 * 2 + 256 * 768 * 3);
    expect(summary.ternaryParameters).toBe(ternary);
    expect(summary.parameters).toBe(ternary + 256 * 4096 + 6 * (256 * 3 + 768) + 256);
    expect(summary.bytesByType).toEqual({ F16: 2097152, F32: 37888, I2_S: ternary / 4 + 42 * 32 });
    expect(summary.fileBytes).toBe(bytes.length);
    // 6 layers of 2 heads of 64, keys and values in halves, for 256 positions.
    expect(summary.estimatedMemory).toMatchObject({ head: 2097152, kvCache: 6 * 2 * 128 * 2 * 256 });
    expect(summary.bytesPerToken).toBe(tensors.reduce((sum, info) => sum + info.bytes, 0));
  });

  it("is plain data that JSON keeps, whatever the metadata holds", async () => {
    const inspection = await inspectParts({
      keys: [
        entry("general.architecture", 4, u32(7)),
        entry("not a number", 6, f32(NaN)),
        entry("infinite", 6, f32(-Infinity)),
        entry("big", 10, u64(2n ** 64n - 1n)),
        entry("long", 8, text("x".repeat(100_000))),
        entry("nested", 9, arrayOf(9, 1, [arrayOf(11, 1, [u64(-1)])])),
        entry("__proto__", 8, text("harmless")),
      ],
      tensors: [tensor("t", [4], 99, 0)],
      dataBytes: 64,
    });
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
    expect(inspection.architecture).toBeNull();
    expect(inspection.metadata).toMatchObject({
      "not a number": "NaN",
      infinite: "-Infinity",
      big: "18446744073709551615",
      long: { type: "string", length: 100_000 },
      nested: { type: "array[]", length: 1, first: [{ length: 1, first: ["-1"] }] },
    });
    expect(Object.keys(inspection.metadata)).toContain("__proto__");
    expect(inspection.tensors).toEqual([{ name: "t", shape: [4], type: "type 99", bytes: 64 }]);
    expect(inspection.summary.estimatedMemory.kvCache).toBeNull();
  });

  it("counts one row of an embedding that is not the head as well", async () => {
    const { summary } = await inspectParts({
      tensors: [tensor("token_embd.weight", [8, 4], 0, 0), tensor("output.weight", [8, 4], 0, 128)],
      dataBytes: 256,
    });
    expect(summary.bytesPerToken).toBe(8 * 4 + 128);
    expect(summary.estimatedMemory).toMatchObject({ weights: 128, head: 128 });
  });
});
