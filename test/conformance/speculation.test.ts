import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModelFile } from "#dist/files/index.js";
import { generate } from "#dist/generation/generate.js";
import { resolveGenerateOptions } from "#dist/generation/resolve-options.js";
import { BitNetError, type GenerateOptions, type GeneratedPiece } from "#dist/index.js";
import type { EngineOptions } from "#dist/engine/engine-options.js";
import { type Engine, startEngine } from "#dist/engine/engine.js";
import { openFileSource } from "#dist/platform/node.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { writeDummyModel } from "#dist/tools/dummy/dummy.js";
import { starterPath } from "../support/golden-path.js";

// Speculation must change only the speed. With and without it, the pieces, the end or error, and the
// session's position after each piece are the same.

const contextLength = 96;

/** All visible results of generating a text. */
interface Outcome {
  readonly pieces: readonly GeneratedPiece[];
  /** The session's position after each piece. */
  readonly positions: readonly number[];
  readonly error: unknown;
  readonly drafted: number;
  readonly accepted: number;
}

const words = ["the", " king", " said", " once", ", ", ' "Yes!"', " and", "\n", " fox", " ü", " 12"];
/** Repeated phrases, from which drafts can be predicted. */
const prompts = fc
  .tuple(
    fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 6 }),
    fc.integer({ min: 1, max: 5 }),
    fc.array(fc.constantFrom(...words), { maxLength: 3 }),
  )
  .map(([phrase, times, end]) => phrase.join("").repeat(times) + end.join(""));

const options: fc.Arbitrary<GenerateOptions> = fc.record(
  {
    temperature: fc.constantFrom(0, 0, 0, 0.8),
    topK: fc.constantFrom(0, 1, 5, 40),
    seed: fc.nat(100),
    maxTokens: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 120 })),
    repeatPenalty: fc.constantFrom(1, 1.1, 1.5),
    presencePenalty: fc.constantFrom(0, 0.7),
    // A negative penalty rewards repetition, so drafts are accepted.
    frequencyPenalty: fc.constantFrom(0, 0.3, -1, -2),
    repeatLastN: fc.constantFrom(-1, 0, 3, 64),
    logitBias: fc
      .array(fc.tuple(fc.nat(4095), fc.constantFrom(-Infinity, -3, 2, 9)), { maxLength: 4 })
      .map((biases) => new Map(biases)),
    logprobs: fc.constantFrom(false, false, true),
    stop: fc.constantFrom("the", " king", "\n", "ing said", ["a great", "zzz"], ". "),
  },
  { requiredKeys: ["temperature", "seed"] },
);

let folder: string;
let tinyPath: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-speculation-"));
  tinyPath = join(folder, "tiny.gguf");
  await writeDummyModel({ size: "tiny", path: tinyPath, seed: 3 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const models: readonly {
  readonly name: string;
  readonly path: () => string;
  readonly choices: EngineOptions;
}[] = [
  { name: "the storyteller", path: () => starterPath, choices: {} },
  {
    name: "the storyteller with a screened head",
    path: () => starterPath,
    choices: { head: "screened" },
  },
  { name: "a random model", path: () => tinyPath, choices: {} },
];

describe.each(models)("speculation on $name", ({ path, choices }) => {
  let engine: Engine;
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    const bytes = await openFileSource(path());
    const file = await openModelFile(bytes);
    tokenizer = createTokenizer(file.metadata);
    const rest = { threads: 2, contextLength, freeBytes: 1e9, onBytes: () => undefined, signal: undefined };
    engine = await startEngine(file, { ...choices, ...rest });
  });
  afterAll(() => engine.dispose());

  /** @param leave the time to leave the loop, or to fire the signal. */
  async function write(
    prompt: string,
    given: GenerateOptions,
    leave: { readonly after: number; readonly how: "break" | "abort" } | undefined,
    spelling = tokenizer,
  ): Promise<Outcome> {
    const controller = new AbortController();
    let [drafted, accepted, reports] = [0, 0, 0];
    const resolved = resolveGenerateOptions({
      ...given,
      signal: controller.signal,
      onSpeculation: ({ draftedTokens, acceptedTokens }) => {
        [drafted, accepted, reports] = [draftedTokens, acceptedTokens, reports + 1];
      },
    });
    const ids = tokenizer.encode(prompt);
    using session = engine.openSession(contextLength);
    const pieces: GeneratedPiece[] = [];
    const positions: number[] = [];
    let error: unknown;
    try {
      for await (const piece of generate(session, spelling, ids, resolved)) {
        pieces.push(piece);
        positions.push(session.position);
        if (pieces.length !== leave?.after) continue;
        if (leave.how === "break") break;
        controller.abort("enough");
      }
    } catch (thrown) {
      error = thrown instanceof BitNetError ? { code: thrown.code, details: thrown.details } : thrown;
    }
    positions.push(session.position);
    expect(reports).toBe(drafted > 0 ? 1 : 0);
    return { pieces, positions, error, drafted, accepted };
  }

  it("changes no piece, no position and no error", async () => {
    const leaving = fc.option(
      fc.record({ after: fc.integer({ min: 1, max: 20 }), how: fc.constantFrom("break", "abort") }),
      { nil: undefined, freq: 2 },
    );
    const ends = new Set<unknown>();
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(prompts, options, leaving, async (prompt, given, leave) => {
        const plain = await write(prompt, { ...given, speculation: "off" }, leave);
        expect(plain.drafted).toBe(0);
        for (const speculation of ["auto", "prompt-lookup"] as const) {
          const speculative = await write(prompt, { ...given, speculation }, leave);
          accepted += speculative.accepted;
          expect(speculative).toEqual({
            ...plain,
            drafted: expect.any(Number),
            accepted: expect.any(Number),
          });
        }
        ends.add(plain.pieces.at(-1)?.finishReason);
      }),
      { numRuns: 60 },
    );
    expect(accepted).toBeGreaterThan(20);
    // Several kinds of end must occur: by the limit, by the signal, and by leaving or a full context.
    for (const end of ["length", "abort", undefined]) expect(ends).toContain(end);
  });

  it("accepts what a text repeats, token for token", async () => {
    const noEnd = new Map([...tokenizer.endOfGenerationIds].map((id) => [id, -Infinity] as const));
    // A large negative penalty makes the model repeat its text.
    const given = { temperature: 0, maxTokens: 60, frequencyPenalty: -2, logitBias: noEnd } as const;
    const plain = await write("the king said, the king said,", { ...given, speculation: "off" }, undefined);
    const fast = await write(
      "the king said, the king said,",
      { ...given, speculation: "prompt-lookup" },
      undefined,
    );
    expect(fast.pieces).toEqual(plain.pieces);
    expect(fast.accepted).toBeGreaterThan(20);
    expect(fast.accepted).toBeLessThanOrEqual(fast.drafted);
  });

  it("ends where a token ends the text in the middle of a draft", async () => {
    const prompt = "the king said, the king said,";
    const given = { temperature: 0, maxTokens: 24, frequencyPenalty: -2 } as const;
    const { pieces } = await write(prompt, { ...given, speculation: "off" }, undefined);
    // Each token in turn becomes an end token. No token after it in a draft may come out.
    for (const id of new Set(pieces.map(({ tokenId }) => tokenId))) {
      const ending = { ...tokenizer, endOfGenerationIds: new Set([id]) };
      const plain = await write(prompt, { ...given, speculation: "off" }, undefined, ending);
      const fast = await write(prompt, { ...given, speculation: "prompt-lookup" }, undefined, ending);
      expect(plain.pieces.at(-1)).toMatchObject({ tokenId: id, finishReason: "stop" });
      expect([fast.pieces, fast.positions]).toEqual([plain.pieces, plain.positions]);
    }
  });
});
