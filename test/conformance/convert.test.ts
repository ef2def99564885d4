import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { openGguf } from "#dist/files/gguf.js";
import { convert } from "#dist/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { float16ToNumber, numberToFloat16 } from "#dist/weight-formats/float16.js";
import { goldenAvailable, goldenMissing, goldenPath } from "../support/golden-path.js";

// The native engines wrote the same weights in several types. Our conversion must give the same bytes.

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-convert-golden-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/**
 * The bytes of all tensors. Bytes after an I2_S scale are omitted: writers leave repeats, zeros or junk
 * there.
 */
async function tensorsOf(path: string): Promise<Map<string, string>> {
  const file = await openGguf(bytesSource(await readFile(path)));
  const tensors = new Map<string, string>();
  for (const { name, type, shape, source, offset, bytes } of file.tensors.values()) {
    const data = await source.read(offset, type === "I2_S" ? bytes - 28 : bytes);
    tensors.set(name, `${type} ${shape.join("×")} ${Buffer.from(data).toString("base64")}`);
  }
  return tensors;
}

describe.each(["tiny-bitnet", "tiny-llama"])("convert of %s", (model) => {
  function needsData(context: TestContext): void {
    if (!goldenAvailable) context.skip(goldenMissing);
  }

  it.for(["tq1_0", "tq2_0"])(
    "writes llama.cpp's %s file, byte for byte in every tensor",
    async (type, context) => {
      needsData(context);
      const output = join(folder, `${model}-${type}.gguf`);
      await convert(goldenPath(`${model}-i2_s/model.gguf`), { output, type });
      const expected = goldenPath(`${model}-${type}/model.gguf`);
      expect(await tensorsOf(output)).toEqual(await tensorsOf(expected));
      const metadata = async (path: string): Promise<unknown> =>
        (await openGguf(bytesSource(await readFile(path)))).metadata;
      expect(await metadata(output)).toEqual(await metadata(expected));
    },
  );

  it.for(["tq1_0", "tq2_0"])(
    "reads it back to I2_S: the native engine's codes, scales rounded to halves",
    async (type, context) => {
      needsData(context);
      const output = join(folder, `${model}-${type}-back.gguf`);
      await convert(goldenPath(`${model}-${type}/model.gguf`), { output, type: "i2_s" });
      const rounded = new Map<string, string>();
      const original = await openGguf(bytesSource(await readFile(goldenPath(`${model}-i2_s/model.gguf`))));
      for (const { name, type: stored, shape, source, offset, bytes } of original.tensors.values()) {
        const data = await source.read(offset, stored === "I2_S" ? bytes - 28 : bytes);
        if (stored === "I2_S") {
          const view = new DataView(data.buffer, data.length - 4);
          view.setFloat32(0, float16ToNumber(numberToFloat16(view.getFloat32(0, true))), true);
        }
        rounded.set(name, `${stored} ${shape.join("×")} ${Buffer.from(data).toString("base64")}`);
      }
      expect(await tensorsOf(output)).toEqual(rounded);
    },
  );
});
