import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type GeneratedPiece, type LanguageModel, loadModel } from "#dist/index.js";
import { starterPath } from "../support/golden-path.js";

const fieldCount = 200;
let model: LanguageModel;
let made = 0;

beforeAll(async () => {
  model = await loadModel(starterPath, { threads: 1 });
});
afterAll(() => model.dispose());
afterEach(() => {
  vi.restoreAllMocks();
});

/** A schema that no other test has compiled. */
function newSchema(): Record<string, unknown> {
  made += 1;
  const properties = Object.fromEntries(
    Array.from({ length: fieldCount }, (_, index) => [`f${made}_${index}`, { type: "string", maxLength: 9 }]),
  );
  return { type: "object", properties };
}

async function firstPiece(pieces: AsyncGenerator<GeneratedPiece, void, void>): Promise<string> {
  for await (const { text } of pieces) return text;
  return "";
}

/** Every step of sliced work ends its slice. @returns the turns that other events get during `work`. */
async function turnsOf(work: () => Promise<unknown>): Promise<number> {
  const now = performance.now.bind(performance);
  let passedMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now() + (passedMs += 20));
  const tasks = vi.spyOn(globalThis, "setImmediate");
  await work();
  return tasks.mock.calls.length;
}

const callers: readonly (readonly [string, (jsonSchema: unknown) => Promise<unknown>])[] = [
  ["generate", (jsonSchema) => firstPiece(model.generate("A list:", { jsonSchema, maxTokens: 1 }))],
  ["complete", (jsonSchema) => model.complete("A list:", { jsonSchema, maxTokens: 1 })],
  [
    "chat.send",
    async (jsonSchema): Promise<unknown> => {
      using chat = model.chat();
      return await firstPiece(chat.send("A list?", { jsonSchema, maxTokens: 1 }));
    },
  ],
  [
    "scheduler.generate",
    async (jsonSchema): Promise<unknown> => {
      await using scheduler = model.createScheduler({ parallel: 1 });
      return await firstPiece(scheduler.generate("A list:", { jsonSchema, maxTokens: 1 }));
    },
  ],
];

test.each(callers)("%s compiles a schema in slices, once", async (_, write) => {
  const schema = newSchema();
  expect(await turnsOf(() => write(schema))).toBeGreaterThan(fieldCount);
  vi.restoreAllMocks();
  expect(await turnsOf(() => write(schema))).toBeLessThan(fieldCount / 4);
});

test.each(callers)("%s refuses a schema that changes during its compilation", async (_, write) => {
  const schema = newSchema();
  setImmediate(() => Object.assign(schema, { title: "changed" }));
  const changed = expect.stringMatching(/was changed/) as unknown;
  await expect(write(schema)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: changed });
  await expect(write(newSchema())).resolves.toBeTypeOf("string");
});

test("a chat is busy while a schema is compiled, and free after a refusal", async () => {
  using chat = model.chat();
  const first = firstPiece(chat.send("A list?", { jsonSchema: newSchema(), maxTokens: 1 }));
  await expect(firstPiece(chat.send("And?"))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await first;
  const refused = chat.send("A list?", { jsonSchema: { type: "list" } });
  await expect(firstPiece(refused)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(await firstPiece(chat.send("A list?", { jsonSchema: newSchema(), maxTokens: 1 }))).not.toBe("");
});
