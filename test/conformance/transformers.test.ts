import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convert, type LanguageModel, loadModel } from "#dist/index.js";
import { relativeDifference } from "./differences.js";
import {
  decodeFloats,
  type GoldenRun,
  type GoldenText,
  makeCheckpoint,
  readGolden,
  transformersGoldens,
} from "./transformers-checkpoint.js";

// Tiny random checkpoints of transformers must have its logits, as folders and as converted GGUF files.

interface Tolerance {
  /** Of relativeDifference, if transformers' KV cache holds float16 like ours. */
  readonly halfCache: number;
  /** The same if it holds float32. */
  readonly logits: number;
  /** The likeliest token must be the golden one if the second one is at least so far behind. */
  readonly gap: number;
}

/** Measured: at most 0.0001, from a key or value rounded to the next float16, and 0.0008. */
const dense: Tolerance = { halfCache: 0.0002, logits: 0.002, gap: 0.02 };
/**
 * Activations are rounded to 8 bits, so a difference in a float's last bit can move one to the next integer.
 * Measured: at most 0.000003, and 0.0025 in llama-falcon3, where that happens once. Keys and values in
 * float16 move many: 0.025 here, and as much in transformers itself.
 */
const ternary: Tolerance = { halfCache: 0.005, logits: 0.04, gap: 0.25 };
const minCosine = 0.999;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-transformers-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function writeCheckpoint(name: string): Promise<string> {
  const path = join(folder, name);
  for (const [file, bytes] of makeCheckpoint(readGolden(name))) {
    await mkdir(dirname(join(path, file)), { recursive: true });
    await writeFile(join(path, file), bytes);
  }
  return path;
}

async function convertCheckpoint(name: string, type: string): Promise<string> {
  const output = join(folder, `${name}.gguf`);
  await convert(await writeCheckpoint(name), { output, type, force: true });
  return output;
}

async function expectRun(path: string, run: GoldenRun, tolerance: Tolerance): Promise<void> {
  const model = await loadModel(path, { threads: 1, contextLength: run.context_length ?? undefined });
  try {
    using session = model.createSession();
    const all = await session.evaluate(run.ids, { logits: "all" });
    expect(differenceOf(all, run.logits_of_half_cache)).toBeLessThan(tolerance.halfCache);
    expect(differenceOf(all, run.logits)).toBeLessThan(tolerance.logits);

    let compared = 0;
    let logits = all.slice(-all.length / run.ids.length);
    for (const [step, { id, gap }] of run.greedy.entries()) {
      if (gap >= tolerance.gap) {
        expect(indexOfMax(logits), `token ${step}`).toBe(id);
        compared += 1;
      }
      // Golden tokens go in, so that one close decision does not end the comparison.
      logits = await session.evaluate([id]);
    }
    expect(compared).toBeGreaterThanOrEqual(run.greedy.length / 2);
  } finally {
    await model.dispose();
  }
}

/** Of the last rows, which are golden. */
function differenceOf(logits: Float32Array, golden: string): number {
  const expected = decodeFloats(golden);
  return relativeDifference(logits.slice(-expected.length), [[...expected]]);
}

async function expectVectors(path: string, texts: readonly GoldenText[]): Promise<void> {
  const model = await loadModel(path, { threads: 1 });
  try {
    for (const { text, ids } of texts) expect(model.tokenize(text)).toEqual(ids);
    const vectors = await model.embed(texts.map(({ text }) => text));
    texts.forEach(({ text, vector }, index) => {
      expect(cosine(vectors[index] ?? [], decodeFloats(vector)), text).toBeGreaterThan(minCosine);
    });
    await expectQueryPrefix(model, texts);
  } finally {
    await model.dispose();
  }
}

/** The last text is a query with the prefix spelt out. */
async function expectQueryPrefix(model: LanguageModel, texts: readonly GoldenText[]): Promise<void> {
  const { text = "" } = texts.at(-1) ?? {};
  const query = text.slice(text.indexOf("Query: ") + "Query: ".length);
  const [spelt] = await model.embed([text]);
  const [prefixed] = await model.embed([query], { kind: "query" });
  expect(query).not.toBe(text);
  expect(prefixed).toEqual(spelt);
}

function indexOfMax(values: Float32Array): number {
  return values.reduce((best, value, index) => (value > (values[best] ?? 0) ? index : best), 0);
}

/** Of vectors of length 1. */
function cosine(a: ArrayLike<number>, b: Float32Array): number {
  return b.reduce((sum, value, index) => sum + value * (a[index] ?? NaN), 0);
}

const variants = transformersGoldens.map((name) => ({ name, golden: readGolden(name) }));

describe.each(variants.filter(({ golden }) => golden.runs !== undefined))("$name", ({ name, golden }) => {
  const { runs = [], files } = golden;
  const config = files["config.json"] as Record<string, unknown>;
  const isTernary = config.quantization_config !== undefined;
  const tolerance = isTernary ? ternary : dense;
  const type = isTernary ? "i2_s" : "f16";

  it("has transformers' logits and greedy tokens from the checkpoint", async () => {
    const path = await writeCheckpoint(name);
    for (const run of runs) await expectRun(path, run, tolerance);
  });

  it(`has them from the ${type} file that convert makes of it`, async () => {
    const path = await convertCheckpoint(name, type);
    for (const run of runs) await expectRun(path, run, tolerance);
  });
});

describe.each(variants.filter(({ golden }) => golden.texts !== undefined))("$name", ({ name, golden }) => {
  it("has the reference's vectors from the checkpoint", async () => {
    await expectVectors(await writeCheckpoint(name), golden.texts ?? []);
  });

  it("has them from the i2_s file that convert makes of it", async () => {
    await expectVectors(await convertCheckpoint(name, "i2_s"), golden.texts ?? []);
  });
});
