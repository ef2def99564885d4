import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { describeModel } from "#dist/architectures/index.js";
import { openCheckpoint } from "#dist/checkpoints/open-checkpoint.js";
import { BitNetError } from "#dist/index.js";
import { memoryFolder } from "#dist/platform/memory-source.js";
import { createTokenizer } from "#dist/text/tokenizer.js";
import { exportCheckpoint } from "../support/checkpoint-export.js";
import { architectureCases } from "../conformance/architecture-cases.js";
import { makeTinyModel } from "../support/tiny-model.js";

const allowedCodes = [
  "FILE_CORRUPT",
  "FILE_NOT_FOUND",
  "MODEL_INVALID",
  "UNSUPPORTED_ARCHITECTURE",
  "UNSUPPORTED_TENSOR_TYPE",
  "UNSUPPORTED_TOKENIZER",
];
const timeoutMs = 2000;

/** The files of a small checkpoint by name. */
let files: Map<string, Uint8Array>;
const texts = ["config.json", "tokenizer.json", "tokenizer_config.json"] as const;

beforeAll(async () => {
  const ternary = architectureCases.find(
    ({ name }) => name === "qwen3, a norm before each ternary projection",
  );
  const { metadata, tensors, formats } = ternary ?? expect.fail("no such case");
  const { bytes: gguf } = await makeTinyModel(metadata, tensors, formats, 1);
  files = await exportCheckpoint(gguf, { storage: { kind: "divide", dtype: "F32" } });
});

/** Values of a key by mistake or malice. */
const nasty = fc.oneof(
  fc.constantFrom<unknown>(null, true, -1, 0, 1.5, 1e300, 2 ** 53, "", "constructor", [], {}, [[]], {
    type: "x",
  }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Sets a random key in a JSON value. The key may exist or be new. */
function change(value: unknown, path: readonly number[], to: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined || typeof value !== "object" || value === null) return to;
  const keys = Object.keys(value);
  if (keys.length === 0) return to;
  const key = keys[first % keys.length] ?? "";
  const copy: unknown = Array.isArray(value) ? [...(value as unknown[])] : { ...value };
  const inner = change((value as Record<string, unknown>)[key], rest, to);
  Object.defineProperty(copy, key, { value: inner, enumerable: true, writable: true, configurable: true });
  return copy;
}

async function openOrRefuse(changed: ReadonlyMap<string, Uint8Array>): Promise<string> {
  const start = performance.now();
  try {
    const file = await openCheckpoint(memoryFolder(changed));
    createTokenizer(file.metadata).encode("abc abc");
    describeModel(file);
    return "opened";
  } catch (error) {
    if (!(error instanceof BitNetError)) throw error;
    expect(allowedCodes, error.message).toContain(error.code);
    return error.code;
  } finally {
    expect(performance.now() - start).toBeLessThan(timeoutMs);
  }
}

describe("openCheckpoint on damaged JSON", () => {
  it("opens or refuses files with one to three other values", { timeout: 120_000 }, async () => {
    const outcomes = new Map<string, number>();
    const one = fc.tuple(
      fc.constantFrom(...texts),
      fc.array(fc.nat(400), { minLength: 1, maxLength: 6 }),
      nasty,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 3 }), async (changes) => {
        const changed = new Map(files);
        for (const [file, path, to] of changes) {
          const value: unknown = JSON.parse(new TextDecoder().decode(changed.get(file)));
          changed.set(file, new TextEncoder().encode(JSON.stringify(change(value, path, to)) ?? "null"));
        }
        const outcome = await openOrRefuse(changed);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }),
      { numRuns: 1500 },
    );
    // Every outcome must occur. Otherwise the changes miss the interesting parts.
    expect([...outcomes.keys()]).toEqual(
      expect.arrayContaining(["opened", "MODEL_INVALID", "UNSUPPORTED_TOKENIZER"]),
    );
  });

  it("opens or refuses files with changed bytes", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...texts),
        fc.array(fc.tuple(fc.nat(20_000), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (file, bytes) => {
          const text = new Uint8Array(files.get(file) ?? []);
          for (const [at, value] of bytes) text[at % text.length] = value;
          await openOrRefuse(new Map([...files, [file, text]]));
        },
      ),
      { numRuns: 500 },
    );
  });
});
