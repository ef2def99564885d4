import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BitNetError, loadModel } from "#dist/index.js";
import { internalsOf } from "#dist/language-model/internals.js";
import type { LanguageModel } from "#dist/language-model/language-model.js";
import { tokenBytes, weightRanges } from "#dist/model/bytes-per-token.js";
import { exceedsCaches, measureReadBandwidth } from "#dist/tools/benchmark/bandwidth.js";
import { decodeLimit, meanBytesPerToken } from "#dist/tools/benchmark/decode-limit.js";
import { measureFirstToken } from "#dist/tools/benchmark/first-token.js";
import { measureSetup, measureTest } from "#dist/tools/benchmark/model-benchmark.js";
import { createProfileSum } from "#dist/tools/benchmark/profile-parts.js";
import { spreadOf } from "#dist/tools/benchmark/statistics.js";
import { starterPath } from "../support/golden-path.js";
import { rewriteModel } from "../support/rewritten-model.js";

describe("spreadOf", () => {
  it("gives the middle of an odd number of values, and halfway between the middle two of an even one", () => {
    expect(spreadOf([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9 });
    expect(spreadOf([9, 1, 5, 7])).toEqual({ median: 6, min: 1, max: 9 });
    expect(spreadOf([4])).toEqual({ median: 4, min: 4, max: 4 });
  });
});

describe("createProfileSum", () => {
  it("gives parts that add up to the whole, to the last hundredth, whatever was measured", () => {
    const milliseconds = fc.double({ min: 0, max: 50, noNaN: true });
    const passes = fc.array(fc.array(milliseconds, { minLength: 3, maxLength: 3 }), { minLength: 1 });
    fc.assert(
      fc.property(passes, fc.array(milliseconds), (measured, gaps) => {
        const sum = createProfileSum();
        sum.add({ spent: { warmUp: 1000 }, zeros: [] });
        sum.reset();
        const total = { ms: gaps.reduce((all, ms) => all + ms, 0), tokens: measured.length };
        for (const [a = 0, b = 0, c = 0] of measured) {
          sum.add({ spent: { a, b, c }, zeros: [] });
          total.ms += a + b + c;
        }
        const { parts, tokenMs } = sum.perToken(total);
        expect(parts.map(({ name }) => name.split(" ")[0])).toEqual(["a", "b", "c", "between"]);
        // The tool prints whole hundredths.
        const hundredths = parts.map(({ ms }) => Math.round(ms * 100));
        expect(hundredths.reduce((all, part) => all + part, 0)).toBe(Math.round(tokenMs * 100));
        expect(Math.abs(tokenMs - total.ms / total.tokens)).toBeLessThan(0.00501);
        // Both ends round to a hundredth. The last part is the rest of the total.
        expect(Math.min(...hundredths)).toBeGreaterThanOrEqual(0);
        const mean = (index: number): number =>
          measured.reduce((all, pass) => all + (pass[index] ?? 0), 0) / measured.length;
        for (const index of [0, 1, 2]) {
          expect(Math.abs((parts[index]?.ms ?? NaN) - mean(index))).toBeLessThan(0.01001);
        }
      }),
    );
  });
});

describe("the zeros of a profile", () => {
  const layer = (gate: number, down: number) => ({
    gated: [gate, 10] as const,
    downInputs: [down, 10] as const,
  });

  it("are shares of what all passes since the reset had, by layer", () => {
    const sum = createProfileSum();
    sum.add({ spent: {}, zeros: [layer(10, 10), layer(10, 10)] });
    sum.reset();
    sum.add({ spent: {}, zeros: [layer(5, 8), layer(1, 2)] });
    sum.add({ spent: {}, zeros: [layer(6, 9), layer(0, 3)] });
    expect(sum.perToken({ ms: 1, tokens: 2 }).zeros).toEqual([
      { gate: 0.55, downInput: 0.85 },
      { gate: 0.05, downInput: 0.25 },
    ]);
  });

  it("are omitted for models without a squared relu", async () => {
    // The same weights in an architecture with SiLU.
    const bytes = await rewriteModel(starterPath, ({ metadata }) => {
      for (const [key, value] of [...metadata])
        if (key.startsWith("bitnet-b1.58.")) metadata.set(key.replace("-b1.58", ""), value);
      metadata.set("general.architecture", { type: "string", value: "bitnet" });
    });
    const profile = createProfileSum();
    await using model = await loadModel(bytes, { threads: 1, engine: { onProfile: profile.add } });
    using session = model.createSession();
    await session.evaluate([1, 2, 3]);
    expect(profile.perToken({ ms: 1000, tokens: 3 }).zeros).toEqual([]);
  });

  it("are the same for all matmul kernels", async () => {
    const profile = createProfileSum();
    await using model = await loadModel(starterPath, { threads: 2, engine: { onProfile: profile.add } });
    using session = model.createSession();
    const ids = model.tokenize("Once upon a time there was a fox who lived in a wood.");
    await session.evaluate(ids);
    const { zeros } = profile.perToken({ ms: 1000, tokens: ids.length });
    expect(zeros).toHaveLength(model.info.layers);
    for (const { gate, downInput } of zeros) {
      expect(gate).toBeGreaterThan(0.4);
      expect(downInput).toBeGreaterThanOrEqual(gate);
      expect(downInput).toBeLessThan(1);
    }
    // A single token uses other kernels, with lists of rows and columns. They see the same zeros.
    profile.reset();
    session.truncate(0);
    for (const id of ids) await session.evaluate([id]);
    expect(profile.perToken({ ms: 1000, tokens: ids.length }).zeros).toEqual(zeros);
  });
});

describe("meanBytesPerToken", () => {
  it("is all weights and the cache of the mean position, as adding up token by token gives", () => {
    const bytes = { layers: 1000, head: 200, kvCachePerPosition: 12 };
    const tokens = 7;
    let sum = 0;
    for (let position = 0; position < tokens; position += 1) sum += 1200 + 12 * (position + 1);
    expect(meanBytesPerToken(bytes, tokens)).toBe(sum / tokens);
  });

  it("is what a limit is taken from", () => {
    const bandwidth = { bytesPerSecond: 20_000, bytes: 450 };
    expect(decodeLimit(500, 30, bandwidth)).toEqual({
      bytesPerToken: 500,
      readBytesPerSecond: 15_000,
      bandwidthShare: 0.75,
      bandwidth,
    });
  });
});

describe("measureReadBandwidth", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("divides the bytes of the fastest reading by its time, in readings long enough to measure", async () => {
    const asked: number[] = [];
    const subject = {
      readWeights: async (times: number): Promise<void> => {
        asked.push(times);
        // Each pass takes half a millisecond. Sometimes another program delays it.
        vi.advanceTimersByTime(times / 2 + (asked.length % 4 === 0 ? 30 : 0));
      },
    };
    const { bytesPerSecond, bytes } = await measureReadBandwidth(subject, 5000);
    expect(bytes).toBe(5000);
    expect(asked[0]).toBe(1);
    expect(new Set(asked.slice(-8)).size).toBe(1);
    // Forty milliseconds, or less if the delay of thirty fell into the last measurement.
    expect(asked.at(-1)).toBeGreaterThanOrEqual(20);
    expect(bytesPerSecond).toBeCloseTo(5000 * 2000);
  });

  it("stops when the signal fires", async () => {
    const controller = new AbortController();
    let calls = 0;
    const subject = {
      readWeights: async (): Promise<void> => {
        vi.advanceTimersByTime(50);
        calls += 1;
        if (calls === 3) controller.abort(new Error("enough"));
      },
    };
    await expect(measureReadBandwidth(subject, 1, controller.signal)).rejects.toThrow("enough");
    expect(calls).toBe(3);
  });

  it("takes only models beyond any cache for memory", () => {
    expect(exceedsCaches(853e6)).toBe(true);
    expect(exceedsCaches(3.3e6)).toBe(false);
  });
});

describe("measureFirstToken", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("times the first answer by itself, then the repetitions, one token each", async () => {
    const asked: object[] = [];
    const waits = [40, 5, 15, 10];
    const subject = {
      tokenize: (text: string): number[] => Array.from(text.split(" "), (_, i) => i),
      async *generate(prompt: string, options: object) {
        vi.advanceTimersByTime(waits[asked.length] ?? 0);
        asked.push({ prompt, ...options });
        yield { text: "x", tokenId: 1 };
        throw new Error("asked for a second token");
      },
    };
    expect(await measureFirstToken(subject, { repetitions: 3 })).toEqual({
      promptTokens: 4,
      coldMs: 40,
      warmMs: { median: 10, min: 5, max: 15 },
    });
    expect(new Set(asked.map((one) => JSON.stringify(one)))).toEqual(
      new Set(['{"prompt":"Once upon a time","maxTokens":1,"temperature":0}']),
    );
    expect(asked.length).toBe(4);
  });

  it("rejects with the signal's reason, though an aborted answer has a last piece", async () => {
    const controller = new AbortController();
    const subject = {
      tokenize: (): number[] => [1],
      async *generate() {
        controller.abort(new Error("enough"));
        yield { text: "", tokenId: 0, finishReason: "abort" as const };
      },
    };
    const { signal } = controller;
    await expect(measureFirstToken(subject, { repetitions: 1, signal })).rejects.toThrow("enough");
  });
});

// The starter has six layers of width 256. Keys and values have 2 of 4 heads of 64.
const ternaryWeights = 6 * (256 * 256 * 2 + 256 * 128 * 2 + 256 * 768 * 3);
const normBytes = 4 * (6 * (256 * 3 + 768) + 256);
const headBytes = 4096 * 256 * 2;

describe("what a token reads", () => {
  it("is every matrix and norm of a model once, from memory that is its own", async () => {
    await using model = await loadModel(starterPath, { threads: 1 });
    const loaded = internalsOf(model).engine.model;
    const { layers, head, kvCachePerPosition } = tokenBytes(loaded);
    expect({ layers, head, kvCachePerPosition }).toEqual({
      layers: ternaryWeights / 4 + normBytes,
      head: headBytes,
      kvCachePerPosition: 6 * 2 * 128 * 2,
    });
    const ranges = [...weightRanges(loaded)].sort((a, b) => a.address - b.address);
    expect(ranges.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(layers + head);
    for (const [index, { address, bytes }] of ranges.entries()) {
      expect(address + bytes).toBeLessThanOrEqual(ranges[index + 1]?.address ?? Infinity);
    }
  });

  it("is the screen of a screened head, with its records and bounds", async () => {
    await using model = await loadModel(starterPath, { threads: 1, engine: { head: "screened" } });
    const { engine } = internalsOf(model);
    expect(tokenBytes(engine.model).head).toBe(4096 * (256 + 16));
    expect(engine.memoryBytes.head).toBe(4096 * (256 + 16));
  });

  it("belongs to models of this library only", () => {
    expect(() => internalsOf({} as LanguageModel)).toThrow(BitNetError);
  });
});

describe("measureSetup and measureTest", () => {
  it("measure a real model: first token, bandwidth, bytes, energy, profile", async () => {
    const profile = createProfileSum();
    await using model = await loadModel(starterPath, { threads: 2, engine: { onProfile: profile.add } });
    let joules = 0;
    const meter = { zones: ["package-0"], joules: () => (joules += 3) };
    const options = {
      tests: [{ kind: "tg", tokens: 6 }],
      repetitions: 2,
      loadMs: 100,
      loadedBytes: 300_000_000,
      meter,
      profile,
    } as const;
    const setup = await measureSetup(model, options);
    expect(setup).toMatchObject({ threads: 2, loadMs: 100, loadBytesPerSecond: 3e9, meter });
    expect(setup.firstToken?.coldMs).toBeGreaterThan(0);
    expect(setup.bandwidth?.bytesPerSecond).toBeGreaterThan(1e6);
    // Additions and attention to 512 positions. Scaling adds less than a fifth of them.
    const picojoules = ternaryWeights * 0.007 + 6 * 2 * 256 * 512 * 0.5;
    expect(setup.arithmetic["7nm"].layers / 1e-12 / picojoules).toBeCloseTo(1, 1);
    expect(setup.arithmetic["7nm"].head / 1e-12 / (4096 * 256 * 0.5)).toBeCloseTo(1, 2);

    const row = await measureTest(model, { kind: "tg", tokens: 6 }, setup, options);
    expect(row.measurement).toMatchObject({ test: "tg6", repetitions: 2, total: { tokens: 12 } });
    expect(row.joulesPerToken).toBe(3 / 12);
    expect(row.limit?.bytesPerToken).toBe(ternaryWeights / 4 + normBytes + headBytes + 3072 * 3.5);
    expect(row.limit?.bandwidthShare).toBeGreaterThan(0);
    expect(row.limit?.bandwidth.bytesPerSecond).toBeGreaterThanOrEqual(
      setup.bandwidth?.bytesPerSecond ?? NaN,
    );
    const { total } = row.measurement;
    expect(Math.abs((row.profile?.tokenMs ?? NaN) - total.ms / total.tokens)).toBeLessThan(0.006);
    expect(row.profile?.parts.every(({ ms }) => ms >= 0)).toBe(true);

    const prompt = await measureTest(model, { kind: "pp", tokens: 6 }, setup, options);
    expect([prompt.limit, prompt.profile]).toEqual([undefined, undefined]);
  });

  it("leave out what cannot be: a bandwidth without generation, a prompt that does not fit, energy without counters", async () => {
    await using model = await loadModel(starterPath, { threads: 1, contextLength: 2 });
    const meter = { missing: "none here" };
    const options = {
      tests: [{ kind: "pp", tokens: 2 }],
      repetitions: 1,
      loadMs: 1,
      loadedBytes: 1,
      meter,
    } as const;
    const setup = await measureSetup(model, options);
    expect([setup.firstToken, setup.bandwidth, setup.meter]).toEqual([undefined, undefined, meter]);
    const row = await measureTest(model, { kind: "tg", tokens: 2 }, undefined, options);
    expect([row.limit, row.joulesPerToken, row.profile]).toEqual([undefined, undefined, undefined]);
  });
});
