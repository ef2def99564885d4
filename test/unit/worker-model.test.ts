import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createWorkerModel, type LanguageModel, loadModel, type WorkerModel } from "#dist/index.js";
import { starterPath } from "../support/golden-path.js";

const greedy = { maxTokens: 16, temperature: 0 } as const;
const prompt = "Once upon a time";
let here: LanguageModel;
let model: WorkerModel;
const stages: string[] = [];

beforeAll(async () => {
  here = await loadModel(starterPath, { threads: 1 });
  model = await createWorkerModel(starterPath, {
    threads: 1,
    onProgress: ({ stage }) => void stages.push(stage),
  });
});
afterAll(async () => {
  await Promise.all([here.dispose(), model.dispose()]);
});

describe("a model in a worker", () => {
  it("answers as the model does", async () => {
    // These times are measured, so they differ.
    const { dotForms, promptForms, ...facts } = model.info;
    const { dotForms: hereDotForms, promptForms: herePromptForms } = here.info;
    expect({ ...facts, dotForms: hereDotForms, promptForms: herePromptForms }).toEqual(here.info);
    expect(promptForms).toEqual(herePromptForms);
    expect(Object.keys(dotForms).sort()).toEqual(Object.keys(here.info.dotForms).sort());
    expect([...new Set(stages)]).toEqual(["open", "weights", "ready"]);
    expect(await model.complete(prompt, greedy)).toBe(await here.complete(prompt, greedy));
    expect(await model.embed([prompt])).toEqual(await here.embed([prompt]));
    const ids = await model.tokenize(prompt, { addSpecial: false });
    expect(ids).toEqual(here.tokenize(prompt, { addSpecial: false }));
    expect(await model.detokenize(ids)).toBe(here.detokenize(ids));
    const pieces: { here: unknown[]; there: unknown[] } = { here: [], there: [] };
    for await (const piece of here.generate(prompt, greedy)) pieces.here.push(piece);
    for await (const piece of model.generate(prompt, greedy)) pieces.there.push(piece);
    expect(pieces.there).toEqual(pieces.here);
  });

  it("calls the functions among the options", async () => {
    const told: unknown[] = [];
    const options = { ...greedy, speculation: "prompt-lookup", onSpeculation: (x: unknown) => told.push(x) };
    await model.complete("a b c d e a b c d e a b c d e a b", options as object);
    expect(told).toEqual([{ draftedTokens: expect.any(Number), acceptedTokens: expect.any(Number) }]);
  });

  it("passes errors on with their codes", async () => {
    await expect(model.complete(prompt, { max_tokens: 1 } as object)).rejects.toMatchObject({
      name: "BitNetError",
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("did you mean maxTokens?"),
      details: { option: "max_tokens", value: 1 },
    });
    await expect(model.complete(prompt, { seed: Symbol("one") } as object)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("Cannot send the arguments of complete"),
    });
    await expect(createWorkerModel("no-such-file.gguf")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(createWorkerModel(starterPath, { workerUrl: "/no/script.js" })).rejects.toMatchObject({
      code: "WORKER_FAILED",
    });
  });

  it("generates a token only when it is asked for", async () => {
    const chat = await model.chat();
    const pieces = chat.send("Hello", { maxTokens: 64, temperature: 0 });
    let text = "";
    for (let i = 0; i < 3; i += 1) text += (await pieces.next()).value?.text ?? "";
    await new Promise((resolve) => setTimeout(resolve, 100));
    await pieces.return();
    // The conversation has what the caller has read, and no more.
    expect(await chat.messages).toEqual([
      { role: "user", content: "Hello" },
      { role: "assistant", content: text },
    ]);
    await chat.restart([{ role: "user", content: "One" }]);
    expect(await chat.messages).toHaveLength(1);
    expect(await chat.droppedMessages).toBe(0);
    await chat.dispose();
    await chat.dispose();
    await expect(chat.send("Hello").next()).rejects.toMatchObject({ code: "DISPOSED" });
  });

  it("stops with the reason of the signal", async () => {
    const before = AbortSignal.abort(new Error("too late"));
    await expect(model.complete(prompt, { signal: before })).rejects.toThrow("too late");
    await expect(createWorkerModel(starterPath, { signal: before })).rejects.toThrow("too late");
    const controller = new AbortController();
    const expected = new AbortController();
    const read = async (
      pieces: AsyncIterable<{ finishReason?: string }>,
      { abort }: { abort: () => void },
    ): Promise<unknown> => {
      const reasons: unknown[] = [];
      try {
        for await (const { finishReason } of pieces) {
          reasons.push(finishReason);
          if (reasons.length === 3) abort();
        }
      } catch (error) {
        reasons.push(error);
      }
      return reasons;
    };
    const reason = new Error("enough");
    const there = model.generate(prompt, { ...greedy, signal: controller.signal });
    const original = here.generate(prompt, { ...greedy, signal: expected.signal });
    expect(await read(there, { abort: () => controller.abort(reason) })).toEqual(
      await read(original, { abort: () => expected.abort(reason) }),
    );
  });

  it("reads a Blob, and refuses calls after disposal", async () => {
    const other = await createWorkerModel(new Blob([await readFile(starterPath)]), { threads: 0 });
    const text = await other.complete(prompt, greedy);
    const cut = other.complete(prompt, { maxTokens: 200 });
    const refused = expect(cut).rejects.toMatchObject({ code: "DISPOSED" });
    await other.dispose();
    await refused;
    await other.dispose();
    await expect(other.tokenize("a")).rejects.toMatchObject({ code: "DISPOSED" });
    expect(text).toBe(await here.complete(prompt, greedy));
  });
});
