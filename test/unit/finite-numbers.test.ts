import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  evaluateTask,
  type LanguageModel,
  loadModel,
  type LoadOptions,
  perplexity,
  readTask,
} from "#dist/index.js";
import { f16 } from "#dist/weight-formats/f16.js";
import { f32 } from "#dist/weight-formats/f32.js";
import { compileKernels } from "#dist/wasm/kernel-build.js";
import { starterPath } from "../support/golden-path.js";
import { packOne } from "../support/packing-bench.js";
import { formatOf } from "../support/reformatted-model.js";
import { type Edit, encodeTensor, rewriteModel } from "../support/rewritten-model.js";
import { runCli } from "../support/run-cli.js";
import { openServer, type OpenServer } from "../server/open-server.js";

const bad = [Infinity, -Infinity, NaN];

/** Replaces one element of a tensor of floats. */
function setElement(name: string, index: number, value: number) {
  return ({ tensors }: Edit): void => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`no tensor "${name}"`);
    const format = tensor.typeId === f32.id ? f32 : f16;
    const count = tensor.shape.reduce((product, size) => product * size, 1);
    const values = format.decode(Uint8Array.from(tensor.data), count);
    values[index] = value;
    tensors.set(name, encodeTensor(format, tensor.shape, values));
  };
}

/** Replaces all elements of a norm. */
function setNorm(name: string, value: number) {
  return ({ tensors }: Edit): void => {
    const length = tensors.get(name)?.shape[0] ?? 0;
    tensors.set(name, encodeTensor(f32, [length], new Float32Array(length).fill(value)));
  };
}

async function open(edit: (parts: Edit) => void, options: LoadOptions = {}): Promise<LanguageModel> {
  return loadModel(await rewriteModel(starterPath, edit), { threads: 1, contextLength: 64, ...options });
}

describe("loadModel refuses a weight that is not finite, with tensor and index", () => {
  const places: readonly (readonly [string, number])[] = [
    ["output_norm.weight", 17],
    ["blk.0.attn_norm.weight", 0],
    ["blk.5.ffn_norm.weight", 255],
    ["token_embd.weight", 4096 * 256 - 1],
    ["token_embd.weight", 1_000],
  ];
  it.each(places.flatMap((place) => bad.map((value) => [...place, value] as const)))(
    "%s at %i: %d",
    async (tensor, index, value) => {
      for (const head of ["whole", "screened"] as const) {
        await expect(open(setElement(tensor, index, value), { engine: { head } })).rejects.toMatchObject({
          code: "FILE_CORRUPT",
          message: expect.stringContaining(`"${tensor}"`),
          details: { tensor, index },
        });
      }
    },
  );

  it("the scale of an I2_S tensor", async () => {
    const tensor = "blk.2.ffn_up.weight";
    await expect(
      open(({ tensors }) => {
        const found = tensors.get(tensor);
        if (found === undefined) throw new Error("no tensor");
        const data = Uint8Array.from(found.data);
        new DataView(data.buffer).setFloat32(data.length - 32, NaN, true);
        tensors.set(tensor, { ...found, data });
      }),
    ).rejects.toMatchObject({ code: "FILE_CORRUPT", details: { tensor } });
  });

  it.each(["F32", "F16", "BF16"])("an element of a %s matrix of several pieces", async (name) => {
    const compiled = await compileKernels(undefined);
    const format = formatOf(name);
    const [rows, cols] = [1100, 2048] as const;
    for (const index of [0, 77, 1_048_576, rows * cols - 1]) {
      for (const value of bad) {
        const values = new Float32Array(rows * cols).fill(0.5);
        values[index] = value;
        const data = format.encode?.(values) ?? new Uint8Array();
        await expect(packOne(compiled, name, [rows, cols], data)).rejects.toMatchObject({
          code: "FILE_CORRUPT",
          details: { tensor: "w", index },
        });
      }
    }
  });

  it.each([
    ["TQ1_0", 52],
    ["TQ2_0", 64],
    ["Q1_0", 0],
    ["Q2_0", 0],
    ["Q8_0", 0],
    ["Q4_0", 0],
    ["Q6_K", 208],
  ] as const)("the scale of a block of %s", async (name, scaleAt) => {
    const compiled = await compileKernels(undefined);
    const format = formatOf(name);
    const data = format.encode?.(new Float32Array(4 * 256).fill(0.5)) ?? new Uint8Array();
    const block = 2 * (256 / format.blockElements);
    const begin = block * format.tensorBytes(format.blockElements);
    new DataView(data.buffer, data.byteOffset).setUint16(begin + scaleAt, 0x7e00, true);
    await expect(packOne(compiled, name, [4, 256], data)).rejects.toMatchObject({
      code: "FILE_CORRUPT",
      details: { tensor: "w", index: 512 },
    });
  });
});

const text = "The little fox and the king went to the river. ".repeat(20);

describe.each([
  ["an overflow in the last norm, so that logits are infinite", setNorm("output_norm.weight", 1e38)],
  ["an overflow in a feed-forward, so that logits are NaN", setNorm("blk.3.ffn_norm.weight", 1e38)],
])("%s, is MODEL_INVALID", (_, edit) => {
  let model: LanguageModel;
  let server: OpenServer;
  const refused = { code: "MODEL_INVALID", message: expect.stringContaining("finite") };
  beforeAll(async () => {
    model = await open(edit);
    server = await openServer(model);
  });
  afterAll(async () => {
    await server.close();
    await model.dispose();
  });

  it.each<[string, () => Promise<unknown>]>([
    ["complete, greedy", () => model.complete("Once", { maxTokens: 4, temperature: 0 })],
    ["complete, sampling", () => model.complete("Once", { maxTokens: 4, topK: 0, topP: 1 })],
    ["generate, with log-probabilities", () => model.generate("Once", { logprobs: true }).next()],
    ["perplexity", () => perplexity(model, text, { contextLength: 32 })],
    [
      "evaluateTask",
      () => {
        const line = JSON.stringify({ goal: "Open a door", sol1: "Push it", sol2: "Eat it", label: 0 });
        return evaluateTask(model, readTask(line, { task: "piqa" }));
      },
    ],
    [
      "a scheduler",
      async () => {
        await using scheduler = model.createScheduler({ parallel: 2 });
        return await scheduler.generate("Once", { maxTokens: 4 }).next();
      },
    ],
  ])("from %s", async (_name, call) => {
    await expect(call()).rejects.toMatchObject(refused);
  });

  it("from session.evaluate, which stays where it was", async () => {
    using session = model.createSession({ contextLength: 16 });
    for (const logits of ["last", "all"] as const) {
      await expect(session.evaluate([1, 2, 3], { logits })).rejects.toMatchObject(refused);
      expect(session.position).toBe(0);
    }
  });

  it("from a screened head", async () => {
    await using screened = await open(edit, { engine: { head: "screened" } });
    await expect(screened.complete("Once", { maxTokens: 4, temperature: 0 })).rejects.toMatchObject(refused);
  });

  it("over HTTP, as an error of status 500", async () => {
    for (const [path, body] of [
      ["/v1/completions", { prompt: "Once", max_tokens: 4 }],
      ["/api/generate", { prompt: "Once", stream: false }],
    ] as const) {
      const response = await server.post(path, body);
      expect(response.status).toBe(500);
      expect(await response.text()).toContain("finite");
    }
  });
});

describe.each([
  ["of NaN", setNorm("blk.3.ffn_norm.weight", 1e38)],
  ["of length 0", setNorm("output_norm.weight", 0)],
])("a vector %s is MODEL_INVALID", (_, edit) => {
  it("from embed, with both poolings, and over HTTP", async () => {
    await using model = await open(edit);
    for (const pooling of ["last", "mean"] as const) {
      await expect(model.embed(["A fox.", "A king."], { pooling })).rejects.toMatchObject({
        code: "MODEL_INVALID",
        details: { index: 0 },
      });
    }
    const server = await openServer(model);
    for (const [path, body] of [
      ["/v1/embeddings", { input: "A fox." }],
      ["/v1/embeddings", { input: "A fox.", encoding_format: "base64" }],
      ["/api/embed", { input: ["A fox."] }],
    ] as const) {
      const response = await server.post(path, body);
      expect(response.status).toBe(500);
      expect(await response.text()).toContain("Cannot embed text 0");
    }
    await server.close();
  });
});

describe("the command line", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bitnet-finite-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each([
    ["embed", setNorm("blk.3.ffn_norm.weight", 1e38), ["A fox."], "MODEL_INVALID"],
    ["embed", setNorm("output_norm.weight", 0), ["A fox."], "MODEL_INVALID"],
    ["run", setNorm("output_norm.weight", 1e38), ["-p", "Once", "-n", "4"], "MODEL_INVALID"],
    ["run", setElement("token_embd.weight", 9, NaN), ["-p", "Once", "-n", "4"], "FILE_CORRUPT"],
  ] as const)("%s ends with status 1 and prints no number (case %#)", async (command, edit, rest, code) => {
    const path = join(folder, "model.gguf");
    await writeFile(path, await rewriteModel(starterPath, edit));
    const { stdout, stderr, status } = await runCli([command, path, ...rest]);
    expect([status, stdout.includes("NaN")]).toEqual([1, false]);
    expect(stderr).toContain(code);
  });
});
