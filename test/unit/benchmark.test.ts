import { describe, expect, it } from "vitest";
import { BitNetError, loadModel } from "#dist/index.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { peakRssBytes } from "#dist/platform/node-host.js";
import {
  type BenchmarkSubject,
  measure,
  type MeasuredSession,
  requireFits,
} from "#dist/tools/benchmark/benchmark.js";

/** A model that counts evaluated tokens. Each call takes a short time. */
function countingModel(): {
  readonly model: BenchmarkSubject;
  readonly calls: number[][];
  readonly disposed: () => boolean;
} {
  const calls: number[][] = [];
  let disposed = false;
  const dispose = (): void => {
    disposed = true;
  };
  const model: BenchmarkSubject = {
    info: { vocabSize: 10, contextLength: 64 },
    openSession: (contextLength) => {
      let position = 0;
      const session: MeasuredSession = {
        async evaluateInPlace(ids) {
          expect(position + ids.length).toBeLessThanOrEqual(contextLength);
          position += ids.length;
          calls.push([...ids]);
          await new Promise((resolve) => setTimeout(resolve, 2));
          return new Float32Array(10);
        },
        truncate: (length) => (position = length),
        [Symbol.dispose]: dispose,
      };
      return session;
    },
  };
  return { model, calls, disposed: () => disposed };
}

describe("measure", () => {
  it("evaluates a prompt at once, once to warm up and once per repetition, always the same tokens", async () => {
    const { model, calls, disposed } = countingModel();
    const measurement = await measure(model, { kind: "pp", tokens: 16 }, { repetitions: 3 });
    expect(measurement).toMatchObject({ test: "pp16", repetitions: 3 });
    expect(calls.map((ids) => ids.length)).toEqual([16, 16, 16, 16]);
    expect(new Set(calls.map(String)).size).toBe(1);
    expect(calls.flat().every((id) => Number.isInteger(id) && id >= 0 && id < 10)).toBe(true);
    expect(disposed()).toBe(true);
  });

  it("evaluates a text token by token", async () => {
    const { model, calls } = countingModel();
    const measurement = await measure(model, { kind: "tg", tokens: 5 }, { repetitions: 2 });
    expect(measurement.test).toBe("tg5");
    expect(calls.map((ids) => ids.length)).toEqual(Array.from({ length: 15 }, () => 1));
  });

  it("orders minimum, median and maximum, and no speed beats the clock", async () => {
    const { model } = countingModel();
    const { minTokensPerSecond, medianTokensPerSecond, maxTokensPerSecond } = await measure(
      model,
      { kind: "tg", tokens: 4 },
      { repetitions: 4 },
    );
    expect(minTokensPerSecond).toBeGreaterThan(0);
    expect(medianTokensPerSecond).toBeGreaterThanOrEqual(minTokensPerSecond);
    expect(maxTokensPerSecond).toBeGreaterThanOrEqual(medianTokensPerSecond);
    // Timers may fire a millisecond early, so each token takes at least one millisecond.
    expect(maxTokensPerSecond).toBeLessThan(1000);
  });

  it("refuses more tokens than the context", async () => {
    const { model, calls } = countingModel();
    await expect(measure(model, { kind: "tg", tokens: 65 }, { repetitions: 1 })).rejects.toThrow(
      /Cannot measure tg65.*64/,
    );
    expect(() => requireFits({ kind: "pp", tokens: 64 }, 64)).not.toThrow();
    expect(() => requireFits({ kind: "pp", tokens: 65 }, 64)).toThrow(BitNetError);
    expect(calls).toEqual([]);
  });

  it("measures a real model and rejects with the signal's reason", async () => {
    await using loaded = await loadModel(undefined, { threads: 1 });
    const model = { info: loaded.info, openSession: internalsOf(loaded).engine.openSession };
    const measurement = await measure(model, { kind: "pp", tokens: 8 }, { repetitions: 1 });
    expect(measurement.medianTokensPerSecond).toBeGreaterThan(0);
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(measure(model, { kind: "pp", tokens: 8 }, { repetitions: 1, signal })).rejects.toBe(reason);
  });
});

describe("peakRssBytes", () => {
  it("is at least the current memory of the process", () => {
    expect(peakRssBytes()).toBeGreaterThanOrEqual(process.memoryUsage().rss * 0.99);
    expect(peakRssBytes()).toBeLessThan(64e9);
  });
});
