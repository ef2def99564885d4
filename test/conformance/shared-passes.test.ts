import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModelFile } from "#dist/files/index.js";
import { type LanguageModel, loadModel } from "#dist/index.js";
import type { EngineOptions } from "#dist/engine/engine-options.js";
import { type Engine, startEngine } from "#dist/engine/engine.js";
import type { Continuation } from "#dist/engine/evaluator.js";
import type { LogitsNeed } from "#dist/engine/screening.js";
import { openFileSource } from "#dist/platform/node.js";
import { starterPath } from "../support/golden-path.js";
import { plainest, promptIds, requireSameBits } from "./exactness.js";
import { rowOf } from "./intermediates.js";

// Sequences that share passes get the same bits as alone, for any neighbours and any division into passes.

const contextLength = 48;
const vocabSize = 4096;
const batchTokens = 24;

/** The part of a sequence in one pass, and the tokens of the part that need logits. */
interface Piece {
  readonly sequence: number;
  readonly tokens: number;
  readonly rows: number;
}

const piece = fc.record({ sequence: fc.nat(3), tokens: fc.integer({ min: 1, max: 9 }), rows: fc.nat(6) });
/** The number of needed logits: undefined for all, or the largest of them. */
const count = fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined });

const ways: readonly (EngineOptions & { readonly threads: number })[] = [
  { threads: 1 },
  { threads: 2 },
  { threads: 3, kernelBuild: "simd128" },
  { threads: 1, head: "screened" },
  { threads: 2, head: "screened" },
  // The embedding does not fit beside the layers.
  { threads: 2, regionBytes: 3.5 * (1 << 20) },
];

describe("sequences in shared passes", () => {
  let reference: LanguageModel;
  /** For each sequence: its ids and the logits after each, [ids][vocabulary], from one separate pass. */
  const sequences: { readonly ids: readonly number[]; readonly logits: Float32Array }[] = [];

  beforeAll(async () => {
    reference = await loadModel(starterPath, plainest);
    const ids = promptIds(reference);
    for (const begin of [0, 11, 0, 30]) {
      using session = reference.createSession({ contextLength });
      const own = ids.slice(begin, begin + contextLength);
      sequences.push({ ids: own, logits: await session.evaluate(own, { logits: "all" }) });
    }
  });
  afterAll(() => reference.dispose());

  it.each(ways)("have the same bits as alone: %j", async (choices) => {
    const bytes = await openFileSource(starterPath);
    const rest = { contextLength, freeBytes: 1e9, onBytes: () => undefined, signal: undefined };
    const engine = await startEngine(await openModelFile(bytes), { ...choices, ...rest });
    let shared = 0;
    try {
      const { layers, headRegion } = engine.model;
      expect(layers[0]?.region === headRegion).toBe(choices.regionBytes === undefined);
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(piece, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 8 }),
          count,
          async (plan, largest) => {
            shared += await requireSameAsAlone(engine, plan, largest);
          },
        ),
        { numRuns: 25 },
      );
    } finally {
      await engine.dispose();
      await bytes.close();
    }
    expect(shared).toBeGreaterThan(10);
  });

  /** @returns the number of passes with rows of several sequences. */
  async function requireSameAsAlone(
    engine: Engine,
    plan: readonly (readonly Piece[])[],
    largest: number | undefined,
  ): Promise<number> {
    const need: LogitsNeed = largest === undefined ? "all" : { count: largest, always: [7] };
    using evaluator = engine.openEvaluator({ contextLength, tokens: batchTokens, logitRows: batchTokens });
    const caches = sequences.map(() => engine.openCache(contextLength));
    const positions = sequences.map(() => 0);
    let shared = 0;
    for (const pieces of plan) {
      const continuations: Continuation[] = [];
      const expected: { readonly sequence: number; readonly position: number }[] = [];
      let room = batchTokens;
      for (const { sequence, tokens, rows } of pieces) {
        const cache = caches[sequence]?.plan;
        const position = positions[sequence] ?? 0;
        const ids = sequences[sequence]?.ids.slice(position, position + Math.min(room, tokens)) ?? [];
        const taken = continuations.some((other) => other.cache === cache);
        if (cache === undefined || ids.length === 0 || taken) continue;
        room -= ids.length;
        const wanted = Math.min(rows, ids.length);
        continuations.push({ cache, position, tokens: ids, needs: Array(wanted).fill(need) });
        const end = position + ids.length;
        for (let at = end - wanted; at < end; at += 1) expected.push({ sequence, position: at });
        positions[sequence] = end;
      }
      if (continuations.length === 0) continue;
      if (continuations.length > 1) shared += 1;
      const rows = await evaluator.evaluate(continuations, undefined);
      for (const [row, { sequence, position }] of expected.entries()) {
        const alone = rowOf(sequences[sequence]?.logits ?? new Float32Array(0), position, vocabSize);
        requireNeeded((await rows.at(row)).values, alone, need, `sequence ${sequence}, position ${position}`);
      }
    }
    for (const cache of caches) cache.dispose();
    return shared;
  }
});

/** @throws unless every needed logit is present, bit for bit, and no other logit is wrong. */
function requireNeeded(actual: Float32Array, alone: Float32Array, need: LogitsNeed, what: string): void {
  if (need === "all") {
    requireSameBits(new Float32Array(actual), alone, what);
    return;
  }
  const floor = alone.toSorted((a, b) => b - a)[need.count - 1] ?? NaN;
  const needed = new Set(need.always);
  const wrong = alone.findIndex((logit, id) =>
    actual[id] === -Infinity ? logit >= floor || needed.has(id) : actual[id] !== logit,
  );
  if (wrong >= 0) throw new Error(`${what}: token ${wrong} has ${actual[wrong]}, expected ${alone[wrong]}`);
}
