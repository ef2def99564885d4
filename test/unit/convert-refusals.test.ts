import { link, mkdtemp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openGguf } from "#dist/files/gguf.js";
import { BitNetError, convert, type ConvertOptions } from "#dist/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { f32 } from "#dist/weight-formats/f32.js";
import { i2S } from "#dist/weight-formats/i2-s.js";
import { tq20 } from "#dist/weight-formats/tq2-0.js";
import type { WeightFormat } from "#dist/weight-formats/index.js";
import { exportCheckpoint } from "../support/checkpoint-export.js";
import { createConvertWorkbench, withHalves } from "../support/convert-workbench.js";
import { starterPath } from "../support/golden-path.js";
import { type Edit, encodeTensor, rewriteModel } from "../support/rewritten-model.js";

const bench = createConvertWorkbench();
const { fresh } = bench;

describe("convert: refusals", () => {
  async function refusal(source: string | Uint8Array, options: ConvertOptions): Promise<BitNetError> {
    const error: unknown = await convert(source, options).catch((reason: unknown) => reason);
    if (error instanceof BitNetError) return error;
    throw new Error(`expected a refusal, got ${String(error)}`);
  }
  async function leavesNothing(action: (output: string) => Promise<void>): Promise<void> {
    const inside = await mkdtemp(join(bench.folder, "empty-"));
    await action(join(inside, "out.gguf"));
    expect(await readdir(inside)).toEqual([]);
  }
  const edited = (change: (parts: Edit) => void): Promise<Uint8Array> => rewriteModel(starterPath, change);
  const set =
    (values: Float32Array, format: WeightFormat = f32): ((parts: Edit) => void) =>
    ({ tensors }) =>
      void tensors.set("blk.0.attn_q.weight", encodeTensor(format, [256, values.length / 256], values));

  it.each<[string, string, RegExp, Partial<ConvertOptions>, (parts: Edit) => void]>([
    [
      "an unknown type",
      "INVALID_ARGUMENT",
      /Invalid type: "q3_k" \(expected f32/,
      { type: "q3_k" },
      () => undefined,
    ],
    [
      "a type that is read and not written",
      "INVALID_ARGUMENT",
      /Invalid type/,
      { type: "q2_0_g128" },
      () => undefined,
    ],
    ["an unknown head type", "INVALID_ARGUMENT", /Invalid headType/, { headType: "x" }, () => undefined],
    ["an empty path", "INVALID_ARGUMENT", /empty/, { output: "" }, () => undefined],
    [
      "rows that are no whole blocks",
      "INVALID_ARGUMENT",
      /rows of 128.*TQ2_0.*types that fit are .*i2_s/,
      { type: "tq2_0" },
      ({ tensors }) => tensors.set("blk.0.attn_q.weight", encodeTensor(f32, [128, 2], new Float32Array(256))),
    ],
    [
      "weights that are not ternary",
      "INVALID_ARGUMENT",
      /blk\.0\.attn_q\.weight.*weight 300 is 0\.25.*needs ternary weights/,
      {},
      set(Float32Array.from({ length: 512 }, (_, index) => (index === 300 ? 0.25 : 0.5))),
    ],
    [
      "blocks of different scales for I2_S",
      "INVALID_ARGUMENT",
      /scales 0\.5 and, from weight 256 on, 0\.25.*tq2_0/,
      {},
      set(
        Float32Array.from({ length: 512 }, (_, index) => (index < 256 ? 0.5 : 0.25)),
        tq20,
      ),
    ],
    ["zeros for signs alone", "INVALID_ARGUMENT", /Q1_0/, { type: "q1_0" }, () => undefined],
    [
      "weights beyond halves",
      "INVALID_ARGUMENT",
      /weight 3 is 70000.*bf16 or f32/,
      { type: "f16" },
      set(Float32Array.from({ length: 512 }, (_, index) => (index === 3 ? 70000 : 1))),
    ],
    [
      "a head beyond halves",
      "INVALID_ARGUMENT",
      /Infinity/,
      { headType: "f16" },
      ({ tensors }) =>
        tensors.set("token_embd.weight", encodeTensor(f32, [256, 2], new Float32Array(512).fill(Infinity))),
    ],
    [
      "a scale beyond halves",
      "INVALID_ARGUMENT",
      /too large for a half/,
      { type: "tq2_0" },
      set(new Float32Array(512).fill(1e-30), i2S),
    ],
    [
      "a tensor of an unknown type",
      "UNSUPPORTED_TENSOR_TYPE",
      /type IQ1_S/,
      {},
      ({ tensors }) =>
        tensors.set("blk.0.attn_q.weight", { shape: [256], typeId: 19, data: new Uint8Array(50) }),
    ],
  ])("refuses %s and leaves nothing behind", async (_, code, words, options, change) => {
    const model = await edited(change);
    await leavesNothing(async (output) => {
      const error = await refusal(model, { output, ...options });
      expect([error.code, error.message]).toEqual([code, expect.stringMatching(words)]);
    });
  });

  it.each(["tq2_0", "tq1_0", "f32"])(
    "refuses a damaged matrix by its byte, on the way to %s",
    async (type) => {
      const model = await edited(({ tensors }) => {
        const { data, ...rest } = tensors.get("blk.2.ffn_up.weight") ?? expect.fail("no matrix");
        const damaged = new Uint8Array(data);
        damaged[1000] = 0xff;
        tensors.set("blk.2.ffn_up.weight", { ...rest, data: damaged });
      });
      const tensor =
        (await openGguf(bytesSource(model))).tensors.get("blk.2.ffn_up.weight") ?? expect.fail("no matrix");
      await leavesNothing(async (output) => {
        expect(await refusal(model, { output, type })).toMatchObject({
          code: "FILE_CORRUPT",
          details: { offset: tensor.offset + 1000, tensor: "blk.2.ffn_up.weight" },
        });
      });
    },
  );

  it("replaces a file only with force, and never its input", async () => {
    const input = join(bench.folder, "input.gguf");
    await writeFile(input, await readFile(starterPath));
    const output = fresh();
    await writeFile(output, "precious");
    expect(await refusal(input, { output })).toMatchObject({
      code: "FILE_WRITE",
      message: expect.stringMatching(/force/) as string,
    });
    expect(await readFile(output, "utf8")).toBe("precious");
    await convert(input, { output, force: true });
    expect((await readFile(output)).length).toBe((await readFile(input)).length);

    const hard = join(bench.folder, "hard.gguf");
    const soft = join(bench.folder, "soft.gguf");
    await link(input, hard);
    await symlink(input, soft);
    for (const same of [input, hard, soft, join(bench.folder, ".", "input.gguf")]) {
      expect(await refusal(input, { output: same, force: true })).toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
    expect(Buffer.compare(await readFile(input), await readFile(starterPath))).toBe(0);
  });

  it("never replaces a file of the checkpoint that it reads, but writes beside them", async () => {
    const checkpoint = await mkdtemp(join(bench.folder, "checkpoint-"));
    const gguf = await withHalves();
    for (const [name, bytes] of await exportCheckpoint(gguf, {
      storage: { kind: "multiply", dtype: "F16" },
    })) {
      await writeFile(join(checkpoint, name), bytes);
    }
    for (const name of ["model.safetensors", "tokenizer.json"]) {
      expect(await refusal(checkpoint, { output: join(checkpoint, name), force: true })).toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
    const beside = join(checkpoint, "model.gguf");
    await convert(checkpoint, { output: beside });
    await convert(checkpoint, { output: beside, force: true });
    expect((await readdir(checkpoint)).sort()).toEqual([
      "config.json",
      "model.gguf",
      "model.safetensors",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
  });

  it("stops by its signal and leaves nothing behind", async () => {
    const reason = new Error("enough");
    for (const after of [0, 1, 30]) {
      await leavesNothing(async (output) => {
        const controller = new AbortController();
        let seen = 0;
        if (after === 0) controller.abort(reason);
        const onProgress = (): void => {
          seen += 1;
          if (seen === after) controller.abort(reason);
        };
        await expect(
          convert(starterPath, { output, type: "f32", signal: controller.signal, onProgress }),
        ).rejects.toBe(reason);
      });
    }
  });

  it("reports progress that grows to the whole", async () => {
    const seen: number[] = [];
    let total = 0;
    const result = await convert(starterPath, {
      output: fresh(),
      type: "f16",
      onProgress: ({ loadedBytes, totalBytes }) => {
        seen.push(loadedBytes);
        total = totalBytes;
      },
    });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect([seen.at(-1), total]).toEqual([result.tensorBytes, result.tensorBytes]);
    expect(result).toMatchObject({ type: "F16", tensors: 68 });
  });
});
