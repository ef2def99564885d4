import { cp, mkdtemp, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { starterPath } from "../support/golden-path.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-changed-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a model file that is rewritten in place while it is in use", () => {
  it.each([
    [
      "cut and grown again with zeros",
      (path: string, size: number) => truncate(path, 0).then(() => truncate(path, size)),
    ],
    ["overwritten with the same bytes", async (path: string) => writeFile(path, await readFile(path))],
    [
      "overwritten with other bytes",
      (path: string, size: number) => writeFile(path, new Uint8Array(size).fill(7)),
    ],
  ])("ends a text with FILE_READ if rows of its head come from the file: %s", async (_, change) => {
    const path = join(folder, "model.gguf");
    await cp(starterPath, path);
    await utimes(path, 1000, 1000);
    const { length } = await readFile(path);
    await using model = await loadModel(path, { threads: 1, engine: { head: "screened" } });
    await using whole = await loadModel(path, { threads: 1, engine: { head: "whole" } });
    const options = { maxTokens: 20, temperature: 0 };
    const expected = await whole.complete("Once upon a time", options);
    let text = "";
    const reading = (async () => {
      for await (const piece of model.generate("Once upon a time", options)) {
        text += piece.text;
        if (text.length > 10) await change(path, length);
      }
    })();
    await expect(reading).rejects.toMatchObject({
      code: "FILE_READ",
      message: expect.stringContaining("has changed"),
    });
    expect(expected.startsWith(text)).toBe(true);
    await expect(model.complete("Once", options)).rejects.toMatchObject({ code: "FILE_READ" });
    // A model that is in memory whole does not need its file.
    expect(await whole.complete("Once upon a time", options)).toBe(expected);
  });
});
