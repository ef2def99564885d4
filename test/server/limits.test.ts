import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { type BitNetError, createServer, type LanguageModel, loadModel } from "#dist/index.js";
import { jsonGrammar, jsonGrammarAsync } from "#dist/grammar/json-grammar.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { createDoor } from "#dist/server/door.js";
import { listOf } from "#dist/server/requests/fields.js";
import { parseJson } from "#dist/server/requests/json-text.js";
import { defaultLimits, type RequestLimits } from "#dist/server/requests/limits.js";
import { streamingResponse } from "#dist/server/streaming-response.js";
import { openServer, type OpenServer } from "./open-server.js";

const limits: RequestLimits = {
  texts: 2,
  messages: 2,
  values: 60,
  entries: 40,
  schemaCharacters: 90,
  patternCharacters: 9,
};
let model: LanguageModel;
let server: OpenServer;
beforeAll(async () => {
  model = await loadModel(undefined, { threads: 1 });
  server = await openServer(model, { limits });
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const message = { role: "user", content: "A" };
const chat = { messages: [message], max_tokens: 1 };
const asking = (schema: object): object => ({
  ...chat,
  response_format: { type: "json_schema", json_schema: { schema } },
});
const keyed = (...lengths: number[]): object => ({
  type: "object",
  patternProperties: Object.fromEntries(lengths.map((length, index) => [`${index}`.repeat(length), {}])),
});
const pattern = (length: number): object => ({ type: "string", pattern: "a".repeat(length) });

describe("a request at a limit is answered, and one beyond it is 400", () => {
  it.each([
    ["texts", "/v1/embeddings", { input: ["a", "b"] }, { input: ["a", "b", "c"] }],
    ["texts", "/api/embed", { input: ["a", "b"] }, { input: ["a", "b", "c"] }],
    [
      "messages",
      "/v1/chat/completions",
      { ...chat, messages: [message, message] },
      { ...chat, messages: [message, message, message] },
    ],
    [
      "messages",
      "/api/chat",
      { messages: [message, message], stream: false, options: { num_predict: 1 } },
      { messages: [message, message, message] },
    ],
    ["entries", "/detokenize", { tokens: new Array(40).fill(5) }, { tokens: new Array(41).fill(5) }],
    [
      "strings",
      "/v1/completions",
      { prompt: "a", max_tokens: 1, stop: new Array(36).fill("qqq") },
      { prompt: new Array(60).fill("a") },
    ],
    ["schema", "/v1/chat/completions", asking({ enum: ["a"] }), asking({ enum: ["a".repeat(90)] })],
    ["patterns", "/v1/chat/completions", asking(pattern(9)), asking({ anyOf: [pattern(5), pattern(5)] })],
    ["patterns of names", "/v1/chat/completions", asking(keyed(4, 5)), asking(keyed(5, 5))],
    [
      "patterns of names and values",
      "/v1/chat/completions",
      asking({ ...keyed(5), pattern: "aaaa" }),
      asking({ ...keyed(5), pattern: "aaaaa" }),
    ],
  ])("%s of %s", async (_, path, good, bad) => {
    const answered = await server.post(path, good);
    expect([answered.status, await answered.text()]).toEqual([200, expect.any(String)]);
    const refused = await server.post(path, bad);
    expect(refused.status).toBe(400);
    expect(await refused.text()).toMatch(/this server takes \d+|has more than \d+/);
  });
});

it("createServer refuses limits that it does not know, and values that are no counts", () => {
  for (const wrong of [{ text: 1 }, { texts: 0 }, { values: 1.5 }]) {
    expect(() => createServer(model, { limits: wrong })).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("limits.") as string,
      }),
    );
  }
});

describe("the size of JSON", () => {
  const parse = (text: string, changed: Partial<RequestLimits> = {}): unknown =>
    parseJson(text, { ...defaultLimits, ...changed }, null);

  it("does not count what strings contain", () => {
    const text = String.raw`{"a":",,,,[[[{{{\"\\","b":"\\\\"}`;
    expect(parse(text, { values: 5, entries: 2 })).toEqual(JSON.parse(text));
    expect(() => parse(text, { values: 4 })).toThrow(/more than 4 strings/);
  });

  it("is limited in depth", () => {
    const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    expect(parse(deep(1000))).toBeInstanceOf(Array);
    expect(() => parse(deep(1001))).toThrow(/levels deep/);
  });

  it("is refused before it is parsed", () => {
    const parser = vi.spyOn(JSON, "parse");
    expect(() => parse(`[${"1,".repeat(100)}1]`, { entries: 100 })).toThrow(/more than 100 entries/);
    expect(parser).not.toHaveBeenCalled();
  });
});

it("a list is checked up to its first wrong entry", () => {
  let checks = 0;
  const entry = z.custom<number>((value) => {
    checks += 1;
    return value !== 3;
  });
  const { error } = listOf(entry).safeParse([1, 2, 3, 3, 3]);
  expect([checks, error?.issues.length, error?.issues[0]?.path]).toEqual([3, 1, [2]]);
  expect(listOf(entry, { max: 1 }).safeParse([1, 2]).success).toBe(false);
  expect(checks).toBe(3);
});

it("a request for embeddings tokenizes each text once", async () => {
  const encoded = vi.spyOn(internalsOf(model).tokenizer, "encodeAsync");
  const answer = await server.post("/v1/embeddings", { input: ["The fox", "A king"] });
  expect(answer.status).toBe(200);
  expect(encoded.mock.calls.map(([text]) => text)).toEqual(["The fox", "A king"]);
});

describe("a stream's reader", () => {
  function open(): { reader: ReadableStreamDefaultReader<Uint8Array> | undefined; left: () => number } {
    let left = 0;
    async function* chunks(): AsyncGenerator<string, void, void> {
      for (;;) yield await Promise.resolve("x");
    }
    const work = {
      timedOut: new AbortController().signal,
      leave: () => void (left += 1),
      stallTimeoutMs: 30_000,
    };
    return { reader: streamingResponse(chunks(), "text/plain", work).body?.getReader(), left: () => left };
  }

  it("that takes nothing for the stall timeout is cut off, and not before", async () => {
    vi.useFakeTimers();
    const { reader, left } = open();
    await reader?.read();
    await vi.advanceTimersByTimeAsync(29_999);
    expect(left()).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(left()).toBe(1);
    await expect(reader?.read()).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("that takes something in time stays", async () => {
    vi.useFakeTimers();
    const { reader, left } = open();
    for (let at = 0; at < 5; at += 1) {
      await reader?.read();
      await vi.advanceTimersByTimeAsync(29_000);
    }
    expect(left()).toBe(0);
    await reader?.cancel();
    expect(left()).toBe(1);
  });
});

describe("the door of a full queue", () => {
  it("refuses after a wait, and lets the oldest in first, one for each look", async () => {
    vi.useFakeTimers();
    let full = false;
    const events: string[] = [];
    const door = createDoor(() => full);
    const { signal } = new AbortController();
    await door.enter(signal);
    full = true;
    const come = (name: string): void =>
      void door.enter(signal).then(
        () => events.push(`${name} in`),
        (error: unknown) => events.push(`${name} ${(error as BitNetError).code}`),
      );
    come("first");
    await vi.advanceTimersByTimeAsync(999);
    expect(events).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(events).toEqual(["first QUEUE_FULL"]);
    come("second");
    come("third");
    full = false;
    await vi.advanceTimersByTimeAsync(10);
    expect(events.slice(1)).toEqual(["second in"]);
    await vi.advanceTimersByTimeAsync(10);
    expect(events.slice(2)).toEqual(["third in"]);
    await vi.advanceTimersByTimeAsync(10);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not keep a client that leaves", async () => {
    const client = new AbortController();
    const waiting = createDoor(() => true).enter(client.signal);
    client.abort();
    await expect(waiting).resolves.toBeUndefined();
  });
});

it("requests of the same moment share the compilation of their schema", async () => {
  const schema = { enum: ["together", "alone"] };
  const [one, two] = await Promise.all([jsonGrammarAsync(schema), jsonGrammarAsync({ ...schema })]);
  expect(one).toBe(two);
  expect(jsonGrammar(schema)).toBe(one);
});
