import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openGguf } from "#dist/files/gguf.js";
import type { GgufValue } from "#dist/files/gguf-writer.js";
import { partPaths } from "#dist/files/split-gguf.js";
import { convert, loadModel } from "#dist/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { starterPath } from "../support/golden-path.js";
import { type Edit, rewriteModel } from "../support/rewritten-model.js";

let folder = "";
/** The storyteller in three parts. */
let parts: readonly Uint8Array[] = [];
const nameOf = (part: number): string => `model-0000${part}-of-00003.gguf`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-split-"));
  parts = await splitModel([0.4, 0.7]);
});
afterAll(() => rm(folder, { recursive: true }));

/** @param cuts where parts 2 and 3 begin, as parts of all tensors. */
async function splitModel(cuts: readonly [number, number]): Promise<readonly Uint8Array[]> {
  return Promise.all(
    [0, 1, 2].map((part) => rewriteModel(starterPath, (edit) => takePart(edit, part, cuts))),
  );
}

function takePart({ metadata, tensors }: Edit, part: number, cuts: readonly number[]): void {
  const count = tensors.size;
  const bounds = [0, ...cuts.map((cut) => Math.round(cut * count)), count];
  [...tensors.keys()].forEach((name, index) => {
    if (index < (bounds[part] ?? 0) || index >= (bounds[part + 1] ?? 0)) tensors.delete(name);
  });
  if (part > 0) metadata.clear();
  const entries: readonly (readonly [string, GgufValue])[] = [
    ["split.no", { type: "uint16", value: part }],
    ["split.count", { type: "uint16", value: 3 }],
    ["split.tensors.count", { type: "int32", value: count }],
  ];
  for (const [key, value] of entries) metadata.set(key, value);
}

async function write(files: readonly Uint8Array[], name = nameOf): Promise<void> {
  for (const [index, bytes] of files.entries()) await writeFile(join(folder, name(index + 1)), bytes);
}

async function textOf(source: string): Promise<string> {
  const model = await loadModel(source, { threads: 1 });
  try {
    return await model.complete("Once upon a time", { maxTokens: 12, temperature: 0 });
  } finally {
    await model.dispose();
  }
}

async function refusalOf(opening: Promise<unknown>): Promise<unknown> {
  return opening.then(
    () => expect.fail("it opened"),
    (error: unknown) => error,
  );
}

describe("a split GGUF file", () => {
  it.each([1, 2, 3])("is opened whole by the name of part %d", async (part) => {
    await write(parts);
    expect(await textOf(join(folder, nameOf(part)))).toBe(await textOf(starterPath));
  });

  it("may have no tensors in its first part", async () => {
    await write(await splitModel([0, 0.5]));
    expect(await textOf(join(folder, nameOf(1)))).toBe(await textOf(starterPath));
  });

  it("is converted to one file that is not split", async () => {
    await write(parts);
    const output = join(folder, "whole.gguf");
    await convert(join(folder, nameOf(1)), { output });
    const file = await openGguf(bytesSource(new Uint8Array(await readFile(output))));
    expect([...file.metadata.keys()].filter((key) => key.startsWith("split."))).toEqual([]);
    expect(await textOf(output)).toBe(await textOf(starterPath));
  });

  it("is not overwritten by what it is converted to", async () => {
    await write(parts);
    const conversion = convert(join(folder, nameOf(1)), { output: join(folder, nameOf(3)), force: true });
    expect(await refusalOf(conversion)).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("is refused where a part is missing, with its name", async () => {
    await write(parts);
    await rm(join(folder, nameOf(3)));
    expect(await refusalOf(loadModel(join(folder, nameOf(1))))).toMatchObject({
      code: "FILE_NOT_FOUND",
      message: expect.stringMatching(/one of 3 parts.*model-00003-of-00003\.gguf/) as string,
    });
  });

  it("is refused where parts have changed places", async () => {
    await write([...parts.slice(0, 1), ...parts.slice(1).reverse()]);
    expect(await refusalOf(loadModel(join(folder, nameOf(1))))).toMatchObject({
      code: "MODEL_INVALID",
      message: expect.stringMatching(/it is part 3 of 3, expected part 2 of 3/) as string,
    });
  });

  it("is refused where a whole model has a part's name", async () => {
    await write([await readFile(starterPath), ...parts.slice(1)]);
    expect(await refusalOf(loadModel(join(folder, nameOf(1))))).toMatchObject({
      message: expect.stringMatching(/it is no part, expected part 1 of 3/) as string,
    });
  });

  it("is refused where tensors are missing", async () => {
    const [first = new Uint8Array(0), ...rest] = parts;
    const more = await rewriteModel(first, ({ metadata }) => {
      metadata.set("split.tensors.count", { type: "int32", value: 999 });
    });
    await write([more, ...rest]);
    expect(await refusalOf(loadModel(join(folder, nameOf(1))))).toMatchObject({
      message: expect.stringMatching(/promises 999 tensors/) as string,
    });
  });

  it.each([0, 1, 2])("is refused where part %d is all there is", async (index) => {
    expect(await refusalOf(loadModel(parts[index]))).toMatchObject({
      code: "UNSUPPORTED_FILE",
      message: expect.stringMatching(/one part of a split model/) as string,
    });
  });

  it("is known by its name", () => {
    expect(partPaths("/a/b-00002-of-00003.gguf")).toEqual([
      "/a/b-00001-of-00003.gguf",
      "/a/b-00002-of-00003.gguf",
      "/a/b-00003-of-00003.gguf",
    ]);
    for (const path of ["b.gguf", "b-00001-of-00001.gguf", "b-1-of-3.gguf", "b-00001-of-00003.bin"]) {
      expect(partPaths(path)).toBeUndefined();
    }
  });
});

describe("a GGUF file that is no model", () => {
  it.each<[string, RegExp, (edit: Edit) => void]>([
    [
      "an adapter",
      /an adapter \(LoRA\); merge it/,
      ({ metadata }) => metadata.set("general.type", { type: "string", value: "adapter" }),
    ],
    [
      "a projector",
      /\(mmproj\)/,
      ({ metadata }) => metadata.set("general.architecture", { type: "string", value: "clip" }),
    ],
    [
      "an importance matrix",
      /importance matrix/,
      ({ metadata }) => metadata.set("general.type", { type: "string", value: "imatrix" }),
    ],
    [
      "a vocabulary",
      /a vocabulary without weights/,
      ({ tensors }) => {
        tensors.clear();
      },
    ],
  ])("is refused by what it is: %s", async (_, words, edit) => {
    const bytes = await rewriteModel(starterPath, edit);
    const expected = { code: "UNSUPPORTED_FILE", message: expect.stringMatching(words) as string };
    expect(await refusalOf(loadModel(bytes))).toMatchObject(expected);
    expect(await refusalOf(convert(bytes, { output: join(folder, "none.gguf") }))).toMatchObject(expected);
  });
});
