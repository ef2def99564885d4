import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeGgufHeader } from "#dist/files/gguf-header.js";
import { planTensor } from "#dist/files/gguf-writer.js";
import { f32 } from "#dist/weight-formats/f32.js";
import { exportCheckpoint } from "../support/checkpoint-export.js";
import { starterPath } from "../support/golden-path.js";
import { type CliResult, finishCli, mainScript, runCli, startCli } from "../support/run-cli.js";
import { safetensorsBytes } from "../support/safetensors-bytes.js";

const mebibyte = 2 ** 20;
const tensorCount = 16;
/** [cols, rows] of each tensor: 32 MiB in F32. */
const matrixShape = [4096, 2048] as const;

let folder: string;
/** The storyteller as a checkpoint. */
let checkpoint: string;
/** A sparse GGUF file of half a gigabyte. */
let sparse: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-cli-convert-"));
  checkpoint = join(folder, "storyteller");
  await mkdir(checkpoint);
  const files = await exportCheckpoint(new Uint8Array(await readFile(starterPath)), {
    storage: { kind: "multiply", dtype: "F32" },
    tensorsPerShard: 20,
  });
  for (const [name, bytes] of files) await writeFile(join(checkpoint, name), bytes);

  sparse = join(folder, "sparse.gguf");
  const tensors = Array.from({ length: tensorCount }, (_, index) =>
    planTensor(`blk.${index}.ffn_up.weight`, matrixShape, f32),
  );
  const metadata = new Map([["general.architecture", { type: "string", value: "llama" } as const]]);
  const header = encodeGgufHeader({ metadata, tensors });
  const file = await open(sparse, "w");
  await file.write(header.bytes);
  await file.truncate(header.bytes.length + tensorCount * f32.tensorBytes(matrixShape[0] * matrixShape[1]));
  await file.close();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function succeeded({ stdout, stderr, status }: CliResult): string {
  expect([stderr, status]).toEqual(["", 0]);
  return stdout;
}

describe("commands on a checkpoint's folder", () => {
  const argsOf = (model: string): string[] => [
    "run",
    model,
    "-p",
    "Once upon a time",
    "-n",
    "8",
    "--temp",
    "0",
    "--json",
  ];
  const textOf = async (model: string): Promise<unknown> =>
    (JSON.parse((await runCli(argsOf(model))).stdout) as { text: unknown }).text;

  it("run continues a text as it does with the GGUF file", async () => {
    expect(await textOf(checkpoint)).toBe(await textOf(starterPath));
  });

  it("inspect describes it as it describes the GGUF file", async () => {
    const [ours, theirs] = await Promise.all(
      [checkpoint, starterPath].map(
        async (model) =>
          JSON.parse(succeeded(await runCli(["inspect", model, "--json"]))) as {
            tensors: { name: string }[];
          },
      ),
    );
    const byName = (inspection: { tensors: { name: string }[] } | undefined): unknown =>
      inspection?.tensors.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    expect(byName(ours)).toEqual(byName(theirs));
  });

  it("bench measures it", async () => {
    const { stdout, status } = await runCli([
      "bench",
      checkpoint,
      "-p",
      "8",
      "-n",
      "2",
      "-t",
      "1",
      "-r",
      "1",
      "--json",
    ]);
    expect([status, (JSON.parse(stdout) as unknown[]).length]).toEqual([0, 2]);
  });

  it("a folder without a checkpoint is refused in one line", async () => {
    const { stderr, status } = await runCli(["run", folder, "-p", "x"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^bitnet: FILE_NOT_FOUND: [^\n]*no config\.json[^\n]*\.gguf"[^\n]*\n$/);
  });
});

describe("bitnet convert", () => {
  it("converts a checkpoint to a GGUF file with the same output, and reports it", async () => {
    const output = join(folder, "from-folder.gguf");
    const result = JSON.parse(
      succeeded(await runCli(["convert", checkpoint, "-o", output, "--json"])),
    ) as object;
    expect(Object.keys(result)).toEqual([
      "path",
      "type",
      "tensors",
      "tensorBytes",
      "roundedScales",
      "convertMs",
    ]);
    expect(result).toMatchObject({ path: output, type: "I2_S", tensors: 68, roundedScales: { tensors: 0 } });
    const run = ["-p", "Once upon a time", "-n", "8", "--temp", "0"];
    expect((await runCli(["run", output, ...run])).stdout).toBe(
      (await runCli(["run", starterPath, ...run])).stdout,
    );
  });

  it("reports that scales were rounded, and how to keep them", async () => {
    const args = ["convert", starterPath, "--type", "TQ2_0", "-o"];
    const rounded = succeeded(await runCli([...args, join(folder, "rounded.gguf")]));
    expect(rounded).toMatch(
      /rounded\.gguf: TQ2_0, .* in 68 tensors, written in .*\nThe scales of 42 tensors were rounded .* --exact-scales/,
    );
    expect(succeeded(await runCli([...args, join(folder, "exact.gguf"), "--exact-scales"]))).toMatch(
      /^[^\n]* 110 tensors[^\n]*\n$/,
    );
  });

  it.each([
    ["no output", ["convert", starterPath], /--output/],
    ["no model", ["convert", "-o", "x.gguf"], /model/],
    ["an unknown type", ["convert", starterPath, "-o", "x.gguf", "--type", "q9"], /Invalid --type: "q9"/],
    [
      "an unknown head type",
      ["convert", starterPath, "-o", "x.gguf", "--head-type", "q9"],
      /Invalid --head-type: "q9"/,
    ],
    ["its own input", ["convert", starterPath, "-o", starterPath, "--force"], /choose another name/],
  ])("%s: one line and exit 2", async (_, args, words) => {
    const { stdout, stderr, status } = await runCli(args);
    expect([stdout, status]).toEqual(["", 2]);
    expect(stderr).toMatch(/^bitnet: [^\n]+\n$/);
    expect(stderr).toMatch(words);
  });

  it("replaces a file only with --force", async () => {
    const output = join(folder, "there.gguf");
    await writeFile(output, "precious");
    const refused = await runCli(["convert", starterPath, "-o", output]);
    expect([refused.status, await readFile(output, "utf8")]).toEqual([1, "precious"]);
    expect(refused.stderr).toMatch(/^bitnet: FILE_WRITE: [^\n]*--force[^\n]*\n$/);
    succeeded(await runCli(["convert", starterPath, "-o", output, "--force"]));
  });

  describe("stopped halfway", () => {
    /** Starts a conversion that takes seconds, and waits until it has written something. */
    async function started(inside: string): Promise<ReturnType<typeof startCli>> {
      await mkdir(inside);
      const child = startCli(["convert", sparse, "-o", join(inside, "out.gguf"), "--type", "q6_k"]);
      for (;;) {
        const [file] = await readdir(inside);
        const size = file === undefined ? 0 : (await stat(join(inside, file)).catch(() => undefined))?.size;
        if ((size ?? 0) > mebibyte) return child;
        if (child.exitCode !== null) throw new Error("it ended too soon");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }

    it("by Ctrl-C: exit 130, and no file remains", async () => {
      const inside = join(folder, "interrupted");
      const child = await started(inside);
      const ended = finishCli(child);
      child.kill("SIGINT");
      const { stdout, stderr, status } = await ended;
      expect([stdout, stderr, status]).toEqual(["", "", 130]);
      expect(await readdir(inside)).toEqual([]);
    });

    it("by SIGKILL: no file that looks whole", async () => {
      const inside = join(folder, "killed");
      const child = await started(inside);
      const ended = once(child, "close");
      child.kill("SIGKILL");
      await ended;
      for (const file of await readdir(inside)) expect(file).toMatch(/^\.out\.gguf\..*\.tmp$/);
    });

    it.skipIf(process.platform === "win32")("by a full disk: one line, and no file remains", async () => {
      const inside = join(folder, "full");
      await mkdir(inside);
      const args = ["convert", starterPath, "-o", join(inside, "out.gguf")];
      // A limit on the file size simulates a full disk: the same write fails.
      const shell = spawn("sh", [
        "-c",
        'trap "" XFSZ; ulimit -f 1000; exec "$@"',
        "sh",
        process.execPath,
        mainScript,
        ...args,
      ]);
      const { stdout, stderr, status } = await finishCli(shell);
      expect([stdout, status]).toEqual(["", 1]);
      expect(stderr).toMatch(/^bitnet: FILE_WRITE: Cannot write [^\n]+\n$/);
      expect(await readdir(inside)).toEqual([]);
    });
  });

  describe("memory", () => {
    /** Converts in a separate process and returns its peak memory. */
    async function peakBytes(model: string, output: string, type: string): Promise<number> {
      const script = `
        import { convert } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
        await convert(${JSON.stringify(model)}, { output: ${JSON.stringify(output)}, type: ${JSON.stringify(type)} });
        console.log(process.resourceUsage().maxRSS * 1024);`;
      const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
      const { stdout, stderr, status } = await finishCli(child);
      expect([stderr, status]).toEqual(["", 0]);
      return Number(stdout);
    }
    // The tensors take more memory than this limit. A converter that kept all of them would exceed it.
    const limit = 1.5 * f32.tensorBytes(matrixShape[0] * matrixShape[1]) + 300 * mebibyte;

    it("stays below 1.5 times the largest tensor and 300 MB: GGUF", { timeout: 120_000 }, async () => {
      expect((await stat(sparse)).size).toBeGreaterThan(limit);
      const peak = await peakBytes(sparse, join(folder, "small.gguf"), "tq2_0");
      expect(peak).toBeGreaterThan(20 * mebibyte);
      expect(peak).toBeLessThan(limit);
    });

    it("stays below it: a checkpoint of masters", { timeout: 120_000 }, async () => {
      const inside = join(folder, "sparse");
      await mkdir(inside);
      const [cols, rows] = matrixShape;
      const bytes = cols * rows * 2;
      const layers = 24;
      const header = Object.fromEntries(
        Array.from({ length: layers }, (_, layer) => [
          `model.layers.${layer}.mlp.up_proj.weight`,
          { dtype: "BF16", shape: [rows, cols], data_offsets: [layer * bytes, (layer + 1) * bytes] },
        ]),
      );
      for (const [file, content] of Object.entries(checkpointText(layers))) {
        await writeFile(join(inside, file), content);
      }
      const file = await open(join(inside, "model.safetensors"), "w");
      const text = safetensorsBytes(JSON.stringify(header));
      await file.write(text);
      await file.truncate(text.length + layers * bytes);
      await file.close();
      const bound = 1.5 * bytes + 300 * mebibyte;
      expect(layers * bytes).toBeGreaterThan(bound);
      expect(await peakBytes(inside, join(folder, "masters.gguf"), "i2_s")).toBeLessThan(bound);
    });
  });
});

/** The JSON files of a checkpoint that contains only matrices. */
function checkpointText(layers: number): Record<string, string> {
  const config = {
    architectures: ["BitNetForCausalLM"],
    hidden_act: "relu2",
    hidden_size: matrixShape[0],
    intermediate_size: matrixShape[1],
    max_position_embeddings: 128,
    num_attention_heads: 32,
    num_hidden_layers: layers,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: true,
    vocab_size: 2,
    quantization_config: {
      quant_method: "bitnet",
      linear_class: "autobitlinear",
      quantization_mode: "online",
    },
  };
  const level = { type: "ByteLevel", add_prefix_space: false };
  const tokenizer = { pre_tokenizer: level, model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] } };
  return { "config.json": JSON.stringify(config), "tokenizer.json": JSON.stringify(tokenizer) };
}
