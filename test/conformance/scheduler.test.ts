import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openModelFile } from "#dist/files/index.js";
import { generate } from "#dist/generation/generate.js";
import { promptTokens } from "#dist/generation/prompt.js";
import { resolveGenerateOptions } from "#dist/generation/resolve-options.js";
import { createScheduler, type Scheduler } from "#dist/generation/scheduling/scheduler.js";
import { BitNetError, type GenerateOptions, type GeneratedPiece } from "#dist/index.js";
import type { EngineOptions } from "#dist/engine/engine-options.js";
import { type Engine, startEngine } from "#dist/engine/engine.js";
import { openFileSource } from "#dist/platform/node.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { starterPath } from "../support/golden-path.js";
import { plainest } from "./exactness.js";

// A text must not depend on other requests, on their timing, or on the content of caches.

const contextLength = 80;
const queueLimit = 1000;

interface Outcome {
  readonly pieces: readonly GeneratedPiece[];
  readonly error: unknown;
}

/**
 * A request with an early end: after some pieces its reader leaves, or its signal fires. Otherwise it runs to
 * its end.
 */
interface Request {
  readonly prompt: string;
  readonly options: GenerateOptions;
  /** Turns of the event loop before the request starts. */
  readonly delay: number;
  readonly leave?: { readonly after: number; readonly how: "break" | "abort" } | undefined;
}

const stems = [
  "Once upon a time",
  "Once upon a hill",
  "The king said to the queen, and the queen said to the king,",
  "",
  "A fox",
];
const ends = [
  "",
  " there",
  " and the little dog laughed to see such sport, and the dish ran away with the spoon.",
];
const requests: fc.Arbitrary<Request> = fc.record({
  prompt: fc.tuple(fc.constantFrom(...stems), fc.constantFrom(...ends)).map((parts) => parts.join("")),
  options: fc.record({
    maxTokens: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 90 })),
    temperature: fc.constantFrom(0, 0.7, 1.2),
    topK: fc.constantFrom(0, 1, 40),
    topP: fc.constantFrom(0.5, 0.95, 1),
    minP: fc.constantFrom(0, 0.05),
    repeatPenalty: fc.constantFrom(1, 1.2),
    repeatLastN: fc.constantFrom(-1, 64),
    logprobs: fc.constantFrom(false, false, true),
    stop: fc.constantFrom([], ["the"], [". "]),
    seed: fc.nat(1000),
  }),
  delay: fc.nat(60),
  leave: fc.option(
    fc.record({ after: fc.nat(12), how: fc.constantFrom("break" as const, "abort" as const) }),
    { nil: undefined, freq: 3 },
  ),
});

/** A request that occurs several times. Its copies share passes and copy each other's KV cache. */
const sameStory: Request = {
  prompt: `${stems[2]}${ends[2]}`,
  options: { maxTokens: 8, temperature: 0 },
  delay: 0,
};

async function collect(pieces: AsyncIterable<GeneratedPiece>): Promise<Outcome> {
  const all: GeneratedPiece[] = [];
  try {
    for await (const piece of pieces) all.push(piece);
  } catch (error) {
    return { pieces: all, error: error instanceof BitNetError ? [error.code, error.details] : error };
  }
  return { pieces: all, error: undefined };
}

interface Loaded {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  /** The text of a prompt and options without other requests. */
  alone(prompt: string | readonly number[], options: GenerateOptions): Promise<Outcome>;
}

async function load(choices: EngineOptions & { readonly threads: number }): Promise<Loaded> {
  const file = await openModelFile(await openFileSource(starterPath));
  const tokenizer = createTokenizer(file.metadata);
  const rest = { contextLength, freeBytes: 1e9, onBytes: () => undefined, signal: undefined };
  const engine = await startEngine(file, { ...choices, ...rest });
  return {
    engine,
    tokenizer,
    async alone(prompt, options): Promise<Outcome> {
      const ids = await promptTokens(tokenizer, prompt, contextLength, {});
      const resolved = resolveGenerateOptions({ ...options, speculation: "off" });
      using session = engine.openSession(contextLength);
      return await collect(generate(session, tokenizer, ids, resolved));
    },
  };
}

/** Makes a request, and ends it as it describes. */
async function carryOut(scheduler: Scheduler, { prompt, options, delay, leave }: Request): Promise<Outcome> {
  for (let i = 0; i < delay; i += 1) await turn();
  const controller = new AbortController();
  async function* read(): AsyncGenerator<GeneratedPiece, void, void> {
    let count = 0;
    if (leave?.after === 0 && leave.how === "break") return;
    if (leave?.after === 0) setImmediate(() => controller.abort("enough"));
    for await (const piece of scheduler.generate(prompt, { ...options, signal: controller.signal })) {
      yield piece;
      count += 1;
      if (count !== leave?.after) continue;
      if (leave.how === "break") return;
      controller.abort("enough");
    }
  }
  return collect(read());
}

/** @throws unless the outcome equals the request's outcome alone, up to its early end. */
function requireSame({ leave }: Request, actual: Outcome, alone: Outcome): void {
  const stopped = leave !== undefined && (leave.how === "break" || actual.error === "enough");
  if (!stopped) {
    expect(actual).toEqual(alone);
    return;
  }
  const written = actual.pieces.filter(({ finishReason }) => finishReason !== "abort");
  expect(written).toEqual(alone.pieces.slice(0, written.length));
  expect(written.length).toBeGreaterThanOrEqual(Math.min(leave.after, alone.pieces.length));
  if (leave.how === "abort") expect(actual.pieces.at(-1)?.finishReason).toBe("abort");
}

const ways: readonly (EngineOptions & { readonly threads: number })[] = [
  { threads: 1 },
  { threads: 2 },
  { threads: 2, head: "screened" },
  // The embedding does not fit beside the layers.
  { threads: 3, regionBytes: 3.5 * (1 << 20) },
];

describe.each(ways)("a scheduler over %j", (choices) => {
  let loaded: Loaded;
  let reference: Loaded;
  beforeAll(async () => {
    loaded = await load(choices);
    reference = await load({ ...plainest.engine, threads: plainest.threads });
  });
  afterAll(() => Promise.all([loaded.engine.dispose(), reference.engine.dispose()]));

  it("writes the same text for each request as alone, while others start, leave and stop", async () => {
    const { engine, tokenizer } = loaded;
    let [shared, cached] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.array(requests, { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 4 }),
        async (all, parallel) => {
          const expected = [];
          for (const { prompt, options } of all) expected.push(await reference.alone(prompt, options));
          await using scheduler = createScheduler(engine, tokenizer, { parallel, queueLimit, contextLength });
          const outcomes = await Promise.all(all.map((request) => carryOut(scheduler, request)));
          for (const [index, request] of all.entries()) {
            const [actual, alone] = [outcomes[index], expected[index]];
            if (actual === undefined || alone === undefined) throw new Error("a request is missing");
            requireSame(request, actual, alone);
          }
          const { queued, active, passes, generatedTokens, cachedTokens } = scheduler.stats;
          expect([queued, active]).toEqual([0, 0]);
          if (passes < generatedTokens) shared += 1;
          cached += cachedTokens;
        },
      ),
      { numRuns: 12, examples: [[[sameStory, sameStory, sameStory], 2]] },
    );
    // The example itself shares passes and cached tokens.
    expect(shared).toBeGreaterThan(0);
    expect(cached).toBeGreaterThan(0);
  });
});

describe("a scheduler", () => {
  let loaded: Loaded;
  beforeAll(async () => {
    loaded = await load({ threads: 2 });
  });
  afterAll(() => loaded.engine.dispose());
  const open = (
    parallel: number,
    limit = queueLimit,
    engine: Parameters<typeof createScheduler>[0] = loaded.engine,
  ) => createScheduler(engine, loaded.tokenizer, { parallel, queueLimit: limit, contextLength });
  const code = (value: string) => expect.objectContaining({ name: "BitNetError", code: value });
  const long = "word ".repeat(60);
  const greedy = { temperature: 0, maxTokens: 12 } as const;
  /** Prevents the natural end of a text. */
  const endless = (): GenerateOptions => ({
    temperature: 0,
    logitBias: new Map([...loaded.tokenizer.endOfGenerationIds].map((id) => [id, -Infinity])),
  });

  it("computes a shared prompt once, for concurrent and for later requests", async () => {
    await using scheduler = open(4);
    const options = { ...greedy, maxTokens: 4 };
    const alone = await loaded.alone(long, options);
    const prompt = alone.pieces.at(-1)?.usage?.promptTokens ?? 0;
    const together = await Promise.all([1, 2, 3, 4].map(() => collect(scheduler.generate(long, options))));
    for (const outcome of together) expect(outcome).toEqual(alone);
    expect(scheduler.stats.cachedTokens).toBe(3 * (prompt - 1));
    expect(await collect(scheduler.generate(long, options))).toEqual(alone);
    expect(scheduler.stats).toMatchObject({ cachedTokens: 4 * (prompt - 1), cacheHits: 4, requests: 5 });
  });

  it("continues a conversation from its end", async () => {
    await using scheduler = open(2);
    const ids = loaded.tokenizer.encode("The king said");
    const first = await collect(scheduler.generate(ids, greedy));
    const next = [
      ...ids,
      ...first.pieces.map((piece) => piece.tokenId),
      ...loaded.tokenizer.encode(" no", { addSpecial: false }),
    ];
    const before = scheduler.stats.cachedTokens;
    expect(await collect(scheduler.generate(next, greedy))).toEqual(await loaded.alone(next, greedy));
    // All tokens of the text except the last one, which was never evaluated.
    expect(scheduler.stats.cachedTokens - before).toBe(ids.length + first.pieces.length - 1);
  });

  it("refuses a request too many with QUEUE_FULL, and accepts one again when a slot is free", async () => {
    // Passes wait, so that the first text does not end before the others come.
    let release = (): void => undefined;
    let gate: Promise<void> | undefined;
    await using scheduler = open(
      1,
      1,
      engineWith(() => gate),
    );
    const [a, b] = [scheduler.generate("One", endless()), new AbortController()];
    await a.next();
    gate = new Promise((resolve) => (release = resolve));
    const second = collect(scheduler.generate("Two", { ...greedy, signal: b.signal }));
    await vi.waitFor(() => expect(scheduler.stats).toMatchObject({ active: 1, queued: 1 }));
    await expect(scheduler.generate("Three", greedy).next()).rejects.toEqual(code("QUEUE_FULL"));
    b.abort("changed my mind");
    expect(scheduler.stats).toMatchObject({ active: 1, queued: 0 });
    expect((await second).error).toBe("changed my mind");
    const third = collect(scheduler.generate("Three", greedy));
    await vi.waitFor(() => expect(scheduler.stats.queued).toBe(1));
    gate = undefined;
    release();
    await a.return();
    expect((await third).pieces).toHaveLength(12);
  });

  it("frees the slot of an aborted request immediately", async () => {
    await using scheduler = open(1, 0);
    const controller = new AbortController();
    const pieces = scheduler.generate("One", { ...endless(), signal: controller.signal });
    await pieces.next();
    controller.abort("enough");
    expect(scheduler.stats.active).toBe(0);
    const next = collect(scheduler.generate("Two", greedy));
    const rest = await collect(pieces);
    expect(rest.error).toBe("enough");
    expect(rest.pieces.at(-1)?.finishReason).toBe("abort");
    expect(await next).toEqual(await loaded.alone("Two", greedy));
  });

  it("continues writing during the prefill of a long prompt, and begins a short one before it", async () => {
    await using scheduler = open(3);
    const order: string[] = [];
    const read = async (name: string, prompt: string, options: GenerateOptions): Promise<void> => {
      for await (const piece of scheduler.generate(prompt, options)) {
        if (piece.tokenId >= 0) order.push(name);
      }
    };
    const writing = read("text", "Once upon a time", { ...endless(), maxTokens: 40 });
    while (order.length < 3) await turn();
    await Promise.all([writing, read("long", long, greedy), read("short", "The fox", greedy)]);
    const begin = order.indexOf("long");
    // Its 61 tokens take several passes. The text gets a token in each of them.
    expect(order.slice(3, begin).filter((name) => name === "text").length).toBeGreaterThanOrEqual(3);
    expect(order.indexOf("short")).toBeLessThan(begin);
  });

  it("serves every request, first come, first served", async () => {
    await using scheduler = open(3);
    const begun: number[] = [];
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const options = { temperature: 0, maxTokens: 1 + (index % 7) };
        let first = true;
        for await (const piece of scheduler.generate(index % 3 === 0 ? long : "Once", options)) {
          if (first && piece.tokenId >= 0) begun.push(index);
          first = false;
        }
      }),
    );
    expect(begun.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index));
    // A later request may overtake requests that got a slot at the same time with longer prompts.
    begun.forEach((index, rank) => expect(Math.abs(index - rank)).toBeLessThan(6));
    expect(scheduler.stats).toMatchObject({ requests: 40, active: 0, queued: 0 });
  });

  it("gives its memory back", async () => {
    // Together they would exceed a memory of 4 GiB.
    for (let i = 0; i < 2500; i += 1) {
      await using scheduler = open(2);
      const one = { temperature: 0, maxTokens: 1 };
      await Promise.all([collect(scheduler.generate("a", one)), collect(scheduler.generate("b", one))]);
    }
    await using last = open(2);
    expect((await collect(last.generate("a", greedy))).pieces).toHaveLength(12);
  }, 120_000);

  it("rejects all requests with DISPOSED when it is disposed of, and later ones", async () => {
    const scheduler = open(1);
    const all = ["a", "b", "c"].map((prompt) => collect(scheduler.generate(prompt, endless())));
    await turn();
    await scheduler.dispose();
    await scheduler.dispose();
    for (const { error } of await Promise.all(all)) expect(error).toEqual(["DISPOSED", {}]);
    await expect(scheduler.generate("d").next()).rejects.toEqual(code("DISPOSED"));
  });

  it.each([[[]], [[1, 4096]], [[-1]], [[0.5]], [Array<number>(81).fill(1)]])(
    "refuses the prompt %j",
    async (ids) => {
      await using scheduler = open(1);
      const expected = ids.length > contextLength ? "CONTEXT_FULL" : "INVALID_ARGUMENT";
      await expect(scheduler.generate(ids).next()).rejects.toEqual(code(expected));
      expect(scheduler.stats).toMatchObject({ active: 0, queued: 0 });
    },
  );

  /** The engine, with something that happens before every pass. It may throw, or wait. */
  function engineWith(
    beforePass: (continuations: number) => Promise<void> | undefined,
  ): Parameters<typeof createScheduler>[0] {
    const { engine } = loaded;
    return {
      batchTokens: engine.batchTokens,
      openCache: engine.openCache,
      copyCache: engine.copyCache,
      openEvaluator(options) {
        const evaluator = engine.openEvaluator(options);
        return {
          ...evaluator,
          async evaluate(continuations, signal) {
            await beforePass(continuations.length);
            return evaluator.evaluate(continuations, signal);
          },
        };
      },
    };
  }

  /** The engine, with passes that fail on demand. */
  function failingEngine(fails: (continuations: number) => Error | undefined): ReturnType<typeof engineWith> {
    return engineWith((continuations) => {
      const error = fails(continuations);
      return error === undefined ? undefined : Promise.reject(error);
    });
  }

  it("rejects all requests with WORKER_FAILED when a worker fails, and another scheduler begins anew", async () => {
    let passes = 0;
    const failure = new BitNetError("WORKER_FAILED", "a worker thread failed");
    const engine = failingEngine(() => ((passes += 1) < 5 ? undefined : failure));
    await using scheduler = open(2, queueLimit, engine);
    const all = await Promise.all(
      ["a", "b", "c"].map((prompt) => collect(scheduler.generate(prompt, endless()))),
    );
    for (const { error } of all) expect(error).toEqual(["WORKER_FAILED", {}]);
    expect(all[0]?.pieces.length).toBeGreaterThan(0);
    await expect(scheduler.generate("d").next()).rejects.toEqual(code("WORKER_FAILED"));
    await using another = open(2);
    expect(await collect(another.generate("a", greedy))).toEqual(await loaded.alone("a", greedy));
  });

  it("isolates the failure of one request from the others", async () => {
    let failed = 0;
    const engine = failingEngine((count) => {
      if (count === 1 && failed !== 1) return undefined;
      failed += 1;
      return new BitNetError("FILE_READ", "cannot read");
    });
    await using scheduler = open(3, queueLimit, engine);
    const prompts = ["One", "Two", "Three"];
    const outcomes = await Promise.all(prompts.map((prompt) => collect(scheduler.generate(prompt, greedy))));
    // The first pass fails for all requests, then only for the first of them.
    expect(outcomes.filter(({ error }) => error !== undefined)).toHaveLength(1);
    for (const [index, prompt] of prompts.entries()) {
      const outcome = outcomes[index];
      if (outcome?.error === undefined) expect(outcome).toEqual(await loaded.alone(prompt, greedy));
    }
  });

  it("uses fewer slots if memory is short", async () => {
    let caches = 0;
    const engine = {
      ...failingEngine(() => undefined),
      openCache: (length: number) => {
        if (caches === 2) throw new BitNetError("OUT_OF_MEMORY", "no room");
        caches += 1;
        return loaded.engine.openCache(length);
      },
    };
    await using scheduler = open(4, queueLimit, engine);
    const prompts = ["One", "Two", "Three", "Four", "Five"];
    const outcomes = await Promise.all(prompts.map((prompt) => collect(scheduler.generate(prompt, greedy))));
    for (const [index, prompt] of prompts.entries())
      expect(outcomes[index]).toEqual(await loaded.alone(prompt, greedy));
  });
});
