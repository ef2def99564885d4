import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModelFile } from "#dist/files/index.js";
import {
  embeddedModelUrl,
  type GenerateOptions,
  type GeneratedPiece,
  type LanguageModel,
  loadModel,
  type LoadOptions,
} from "#dist/index.js";
import { type Engine, startEngine } from "#dist/engine/engine.js";
import { openFileSource } from "#dist/platform/node.js";
import { starterPath } from "../support/golden-path.js";

const greedy = { temperature: 0, maxTokens: 24 } as const;

async function collect(pieces: AsyncIterable<GeneratedPiece>): Promise<GeneratedPiece[]> {
  const all: GeneratedPiece[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

function code(value: string) {
  return expect.objectContaining({ name: "BitNetError", code: value });
}

describe("a loaded model", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(starterPath, { threads: 2 });
  });
  afterAll(() => model.dispose());

  it("describes itself", () => {
    expect(model.info).toMatchObject({
      architecture: "bitnet-b1.58",
      name: "storyteller-starter",
      parameters: 5776640,
      layers: 6,
      width: 256,
      vocabSize: 4096,
      contextLength: 256,
      weightFormats: ["F16", "F32", "I2_S"],
      threads: 2,
    });
    expect(model.info.memoryBytes.head).toBe(4096 * 256 * 2);
  });

  it("streams pieces that add up to what complete returns", async () => {
    const pieces = await collect(model.generate("Once upon a time", greedy));
    expect(pieces).toHaveLength(24);
    expect(pieces.map((piece) => piece.text).join("")).toBe(await model.complete("Once upon a time", greedy));
    expect(pieces.at(-1)).toMatchObject({ finishReason: "length", usage: { generatedTokens: 24 } });
    expect(pieces.slice(0, -1).every((piece) => piece.finishReason === undefined)).toBe(true);
  });

  it("writes the same text for the same seed, and another for another", async () => {
    const sampled = (seed: number) => model.complete("The king", { maxTokens: 24, temperature: 1, seed });
    const first = await sampled(7);
    expect(await sampled(7)).toBe(first);
    expect(await sampled(8)).not.toBe(first);
  });

  it("gives the model's log-probabilities on demand", async () => {
    const [piece] = await collect(
      model.generate("Once upon a", { temperature: 0, maxTokens: 1, logprobs: true }),
    );
    using session = model.createSession();
    const logits = await session.evaluate(model.tokenize("Once upon a"));
    const largest = Math.max(...logits);
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
    expect(piece?.logprob).toBeCloseTo((logits[piece?.tokenId ?? 0] ?? NaN) - largest - Math.log(total), 5);
  });

  it("ends at a stop string without giving out any of it", async () => {
    const full = await model.complete("Once upon a time", { ...greedy, maxTokens: 48 });
    const stop = full.slice(20, 27);
    const pieces = await collect(model.generate("Once upon a time", { ...greedy, maxTokens: 48, stop }));
    expect(pieces.map((piece) => piece.text).join("")).toBe(full.slice(0, full.indexOf(stop)));
    expect(pieces.at(-1)?.finishReason).toBe("stop");
  });

  it("ends at an end-of-generation token and keeps it out of the text", async () => {
    const end = model.tokenize("<|end_of_text|>", { addSpecial: false, parseSpecial: true });
    expect(end).toHaveLength(1);
    const logitBias = new Map([[end[0] ?? 0, 1000]]);
    const pieces = await collect(model.generate("Once", { ...greedy, logitBias }));
    expect(pieces).toEqual([
      {
        text: "",
        tokenId: end[0],
        finishReason: "stop",
        usage: { promptTokens: expect.any(Number), generatedTokens: 1 },
      },
    ]);
  });

  it("continues an empty prompt from BOS alone", async () => {
    expect(await model.complete("", greedy)).not.toBe("");
  });

  it("refuses unknown options, and names the likely one", async () => {
    const misspelt = { maxTokns: 4 };
    const expected = { code: "INVALID_ARGUMENT", details: { option: "maxTokns", value: 4 } };
    await expect(model.generate("The king", misspelt as object).next()).rejects.toMatchObject(expected);
    await expect(model.complete("The king", misspelt as object)).rejects.toMatchObject(expected);
    await expect(model.embed(["a"], { kinds: "query" } as object)).rejects.toThrow("did you mean kind?");
    expect(() => model.chat({ sytem: "Be brief." } as object)).toThrow("did you mean system?");
    using chat = model.chat();
    await expect(chat.send("Hello", misspelt as object).next()).rejects.toMatchObject(expected);
    await using scheduler = model.createScheduler();
    await expect(scheduler.generate("The king", misspelt as object).next()).rejects.toMatchObject(expected);
  });

  it("stops the work when the loop is left, and accepts new calls", async () => {
    for await (const piece of model.generate("Once upon a time", { maxTokens: 200 })) {
      expect(piece.tokenId).toBeGreaterThanOrEqual(0);
      break;
    }
    expect(await model.complete("Once", { maxTokens: 2, temperature: 0 })).not.toBe("");
  });

  it("gives a last piece and then the signal's reason when aborted", async () => {
    const controller = new AbortController();
    const pieces: GeneratedPiece[] = [];
    const reason = new Error("enough");
    const run = (async () => {
      for await (const piece of model.generate("Once", { maxTokens: 200, signal: controller.signal })) {
        pieces.push(piece);
        if (pieces.length === 3) controller.abort(reason);
      }
    })();
    await expect(run).rejects.toBe(reason);
    expect(pieces.at(-1)?.finishReason).toBe("abort");
    await expect(model.complete("Once", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it("refuses a prompt that is longer than the context", async () => {
    await expect(model.complete("word ".repeat(400))).rejects.toEqual(code("CONTEXT_FULL"));
  });

  it("throws when the context fills before maxTokens, after giving out the text that fits", async () => {
    const pieces: GeneratedPiece[] = [];
    const noEnd = new Map([...Array(16).keys()].map((i) => [4095 - i, -Infinity] as const));
    const options = { maxTokens: 1000, temperature: 0, logitBias: noEnd };
    const run = (async () => {
      for await (const piece of model.generate("Once upon a time", options)) pieces.push(piece);
    })();
    await expect(run).rejects.toEqual(code("CONTEXT_FULL"));
    expect(pieces.length).toBe(256 - model.tokenize("Once upon a time").length + 1);
    const text = pieces.map((piece) => piece.text).join("");
    await expect(model.complete("Once upon a time", options)).rejects.toMatchObject({ details: { text } });
  });

  it("writes to the end of the context when no limit is given", async () => {
    const noEnd = new Map([...Array(16).keys()].map((i) => [4095 - i, -Infinity] as const));
    const pieces = await collect(model.generate("Once", { temperature: 0, logitBias: noEnd }));
    expect(pieces.at(-1)?.finishReason).toBe("length");
  });

  it.each([
    ["temperature", { temperature: -1 }],
    ["temperature", { temperature: NaN }],
    ["topP", { topP: 1.5 }],
    ["topK", { topK: 0.5 }],
    ["maxTokens", { maxTokens: 0 }],
    ["seed", { seed: -1 }],
    ["stop", { stop: "" }],
    ["speculation", { speculation: "always" as "auto" }],
  ])("refuses %s outside its range and names it", async (name, options) => {
    await expect(model.complete("Once", options)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(name),
    });
  });

  it("keeps the caller's event loop free while it works", async () => {
    let turns = 0;
    const ticking = setInterval(() => (turns += 1), 1);
    using session = model.createSession();
    const ids = model.tokenize("Once upon a time there was a king. ".repeat(20)).slice(0, 250);
    for (let i = 0; i < 5; i += 1) {
      session.truncate(0);
      await session.evaluate(ids);
    }
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(5);
  });

  it("writes several texts at the same time, each as if alone", async () => {
    const prompts = ["Once upon a time", "The little fox", "In the deep sea"];
    const alone = [];
    for (const prompt of prompts) alone.push(await model.complete(prompt, greedy));
    expect(await Promise.all(prompts.map((prompt) => model.complete(prompt, greedy)))).toEqual(alone);
  });
});

describe("a session", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(starterPath, { threads: 1 });
  });
  afterAll(() => model.dispose());

  it("moves its position, goes back, and refuses to go where it has not been", async () => {
    using session = model.createSession({ contextLength: 8 });
    await session.evaluate([1, 2, 3]);
    expect(session.position).toBe(3);
    session.truncate(1);
    expect(session.position).toBe(1);
    expect(() => session.truncate(2)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    await expect(session.evaluate(Array<number>(8).fill(1))).rejects.toEqual(code("CONTEXT_FULL"));
    expect(session.position).toBe(1);
  });

  it("gives logits after the last token, or after each", async () => {
    using session = model.createSession({ contextLength: 16 });
    const all = await session.evaluate([5, 6, 7], { logits: "all" });
    expect(all).toHaveLength(3 * 4096);
    session.truncate(2);
    expect(await session.evaluate([7])).toEqual(all.slice(2 * 4096));
  });

  it.each([[[]], [[-1]], [[4096]], [[1.5]], [[NaN]]])("refuses %j as token ids", async (ids) => {
    using session = model.createSession();
    await expect(session.evaluate(ids)).rejects.toEqual(code("INVALID_ARGUMENT"));
  });

  it("runs calls made at the same time one after another", async () => {
    using session = model.createSession();
    await Promise.all([session.evaluate([1]), session.evaluate([2]), session.evaluate([3])]);
    expect(session.position).toBe(3);
  });

  it("refuses to go back while tokens are being evaluated, whose end would undo it", async () => {
    using session = model.createSession();
    await session.evaluate([1, 2, 3, 4]);
    const evaluating = session.evaluate([5, 6]);
    expect(() => session.truncate(1)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    await evaluating;
    expect(session.position).toBe(6);
    const stopped = session.evaluate([7], { signal: AbortSignal.abort(new Error("enough")) });
    await expect(stopped).rejects.toThrow("enough");
    session.truncate(1);
    expect(session.position).toBe(1);
  });

  it("refuses calls after disposal, which may be repeated", async () => {
    const session = model.createSession();
    session.dispose();
    session.dispose();
    await expect(session.evaluate([1])).rejects.toEqual(code("DISPOSED"));
  });

  it("gives its memory back", async () => {
    // Together they would exceed a memory of 4 GiB.
    for (let i = 0; i < 1500; i += 1) {
      using session = model.createSession();
      if (i % 500 === 0) await session.evaluate([1]);
      await Promise.resolve();
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
    using last = model.createSession();
    expect(await last.evaluate([1])).toHaveLength(4096);
  });
});

describe("loading", () => {
  it("reads the same model from a path, a URL, a Blob and bytes", async () => {
    const path = fileURLToPath(embeddedModelUrl);
    const bytes = await readFile(path);
    const texts = [];
    for (const source of [
      path,
      embeddedModelUrl,
      embeddedModelUrl.href,
      new Blob([bytes]),
      new Uint8Array(bytes),
    ]) {
      const model = await loadModel(source, { threads: 1 });
      texts.push(await model.complete("Once upon a time", { temperature: 0, maxTokens: 8 }));
      await model.dispose();
    }
    expect(new Set(texts).size).toBe(1);
  });

  it("reports progress that only grows, to the end of the file", async () => {
    const seen: number[] = [];
    const stages = new Set<string>();
    const model = await loadModel(starterPath, {
      threads: 1,
      onProgress: ({ stage, loadedBytes, totalBytes }) => {
        stages.add(stage);
        seen.push(loadedBytes / totalBytes);
      },
    });
    await model.dispose();
    expect([...stages]).toEqual(["open", "weights", "ready"]);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(1);
  });

  it("runs in the calling thread with threads: 0, in tasks of its own", async () => {
    await using inline = await loadModel(starterPath, { threads: 0 });
    await using threaded = await loadModel(starterPath, { threads: 2 });
    expect([inline.info.threads, threaded.info.threads]).toEqual([0, 2]);
    const options = { maxTokens: 24, temperature: 0 };
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1));
    const text = await inline.complete("Once upon a time", options);
    clearInterval(timer);
    expect(text).toBe(await threaded.complete("Once upon a time", options));
    expect(ticks).toBeGreaterThan(3);
    const [vector] = await inline.embed(["The fox drinks."]);
    expect(vector).toEqual((await threaded.embed(["The fox drinks."]))[0]);
    const pending = inline.complete("Once upon a time", { maxTokens: 100 });
    await inline.dispose();
    await expect(pending).rejects.toMatchObject(code("DISPOSED"));
  });

  it("refuses a model that it cannot open, with the reason", async () => {
    const junk = new Uint8Array(100).fill(7);
    await expect(loadModel("no-such-file.gguf")).rejects.toEqual(code("FILE_NOT_FOUND"));
    await expect(loadModel(junk)).rejects.toEqual(code("FILE_CORRUPT"));
    await expect(loadModel("hf:owner")).rejects.toEqual(code("INVALID_ARGUMENT"));
    await expect(loadModel(starterPath, { threads: -1 })).rejects.toEqual(code("INVALID_ARGUMENT"));
    await expect(loadModel(starterPath, { threads: 1.5 })).rejects.toEqual(code("INVALID_ARGUMENT"));
    await expect(loadModel(starterPath, { contextLength: 257 })).rejects.toEqual(code("INVALID_ARGUMENT"));
    await expect(loadModel(starterPath, { contextLength: 0 })).rejects.toEqual(code("INVALID_ARGUMENT"));
  });

  it.each([
    { kernelBuild: "avx" },
    { dotForm: "fast" },
    { head: "int4" },
    { sparsity: true },
    { kernels256: "yes" },
    { shares: "equal" },
    { shares: [1, 0] },
    { shares: [1, NaN] },
    { shares: [] },
    { shares: Array.from({ length: 300 }, () => 1) },
    { onProfile: 1 },
    { regionBytes: 100 },
    { regionBytes: -65536 },
    { regionBytes: 65536 * 3 + 1 },
  ])("refuses the engine option %j, which JavaScript can ask for", async (engine) => {
    const [option] = Object.keys(engine);
    const options = { engine } as unknown as LoadOptions;
    await expect(loadModel(starterPath, options)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { option },
    });
  });

  it.each<[string, object, string]>([
    ["a misspelt name", { thread: 2 }, "Unknown option thread of loadModel: did you mean threads?"],
    ["a knob outside engine", { kernelBuild: "simd128" }, "Unknown option kernelBuild of loadModel"],
    ["a misspelt knob", { engine: { kernelbuild: "simd128" } }, "did you mean kernelBuild?"],
    [
      "an engine that is a text",
      { engine: "simd128" },
      "expected an object of options of loadModel's engine",
    ],
    ["options that are an array", [], "expected an object of options of loadModel"],
  ])("refuses %s", async (_, options, message) => {
    await expect(loadModel(starterPath, options)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(message),
    });
  });

  it("rejects with the signal's reason", async () => {
    const reason = new Error("changed my mind");
    await expect(loadModel(starterPath, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const loading = loadModel(starterPath, {
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(loading).rejects.toBe(reason);
  });
});

describe("a screened head", () => {
  let whole: LanguageModel;
  let screened: LanguageModel;
  beforeAll(async () => {
    whole = await loadModel(starterPath, { threads: 2, engine: { head: "whole" } });
    screened = await loadModel(starterPath, { threads: 2, engine: { head: "screened" } });
  });
  afterAll(async () => {
    await whole.dispose();
    await screened.dispose();
  });

  it.each([1, 2, 3])("is packed in another memory than the barrier's, by %i threads", async (threads) => {
    // The layers and their caches take 6 of 8 MiB. The head and the buffers of its packing take 7.5.
    const engine = { head: "screened", regionBytes: 8 << 20 } as const;
    await using split = await loadModel(undefined, { threads, engine });
    await using one = await loadModel(undefined, { threads: 1, engine: { head: "whole" } });
    const options = { maxTokens: 16, temperature: 0 };
    expect(await split.complete("Once upon a time", options)).toBe(
      await one.complete("Once upon a time", options),
    );
  });

  it("takes half the memory", () => {
    expect(screened.info.memoryBytes.head).toBe(4096 * (256 + 16));
    expect(whole.info.memoryBytes.head).toBe(4096 * 256 * 2);
  });

  it.each<[string, GenerateOptions]>([
    ["greedy", { temperature: 0 }],
    ["top-k", { temperature: 1, topK: 5, seed: 1 }],
    ["all defaults", { seed: 2 }],
    [
      "greedy with penalties",
      { temperature: 0, repeatPenalty: 1.3, presencePenalty: 0.5, frequencyPenalty: 0.2 },
    ],
    ["penalties over all the text", { temperature: 0.9, repeatPenalty: 1.2, repeatLastN: -1, seed: 3 }],
    [
      "biases up and down",
      {
        temperature: 0,
        logitBias: new Map([
          [300, 5],
          [278, -Infinity],
          [4000, 3],
        ]),
      },
    ],
    ["sampling from all tokens", { temperature: 1, topK: 0, minP: 0, topP: 1, seed: 4 }],
  ])("writes the same tokens: %s", async (_, options) => {
    for (const prompt of ["Once upon a time", "The fox", ""]) {
      const [a, b] = await Promise.all(
        [whole, screened].map((model) => collect(model.generate(prompt, { maxTokens: 60, ...options }))),
      );
      expect(b).toEqual(a);
    }
  });

  it("gives the bits of the whole head where it gives anything, and leaves out only smaller logits", async () => {
    const engineOf = async (head: "whole" | "screened"): Promise<Engine> => {
      const file = await openModelFile(await openFileSource(starterPath));
      const rest = { contextLength: undefined, freeBytes: 1e9, onBytes: () => undefined, signal: undefined };
      return startEngine(file, { threads: 1, head, ...rest });
    };
    const [wholeEngine, screenedEngine] = [await engineOf("whole"), await engineOf("screened")];
    using a = wholeEngine.openSession(256);
    using b = screenedEngine.openSession(256);
    let kept = 0;
    for (let i = 0; i < 100; i += 1) {
      const ids = [(i * 131) % 4000, (i * 57) % 4000];
      const all = new Float32Array(await a.evaluateInPlace(ids, "all", undefined));
      const count = 1 + (i % 40);
      const some = await b.evaluateInPlace(ids, { count, always: [17] }, undefined);
      const floor = [...all].sort((x, y) => y - x)[count - 1] ?? NaN;
      all.forEach((logit, id) => {
        const given = some[id] ?? NaN;
        if (given !== -Infinity) kept += 1;
        if (given === -Infinity ? logit >= floor || id === 17 : given !== logit) {
          throw new Error(`token ${id}: ${given} instead of ${logit}, floor ${floor}`);
        }
      });
    }
    // Screening must skip most rows.
    expect(kept / 100).toBeLessThan(1000);
    await wholeEngine.dispose();
    await screenedEngine.dispose();
  });

  it("has the whole head for callers that need all logits, and still screens for others", async () => {
    const model = await loadModel(starterPath, { threads: 1, engine: { head: "screened" } });
    const text = await model.complete("The king", { temperature: 0, maxTokens: 10 });
    using a = whole.createSession();
    using b = model.createSession();
    expect(await b.evaluate([1, 2, 3], { logits: "all" })).toEqual(
      await a.evaluate([1, 2, 3], { logits: "all" }),
    );
    expect(await model.complete("The king", { temperature: 0, maxTokens: 10 })).toBe(text);
    await model.dispose();
  });
});
