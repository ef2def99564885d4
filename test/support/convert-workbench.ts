import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { openGguf } from "#dist/files/gguf.js";
import type { ModelFile } from "#dist/files/model-file.js";
import { convert, type ConvertOptions } from "#dist/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { withStoredScales } from "./checkpoint-export.js";
import { starterPath } from "./golden-path.js";

/** The output folder of the tests in a file. */
export interface ConvertWorkbench {
  /** A folder that is removed after the tests. */
  readonly folder: string;
  /** A path that does not exist. */
  fresh(): string;
  converted(
    source: string | Uint8Array,
    options?: Omit<ConvertOptions, "output">,
  ): Promise<{ readonly bytes: Uint8Array; readonly file: ModelFile; readonly path: string }>;
}

/** Call it once in a test file. */
export function createConvertWorkbench(): ConvertWorkbench {
  let folder = "";
  let count = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bitnet-convert-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const fresh = (): string => join(folder, `out-${(count += 1)}.gguf`);
  return {
    get folder() {
      return folder;
    },
    fresh,
    async converted(source, options = {}) {
      const path = fresh();
      await convert(source, { ...options, output: path });
      const bytes = new Uint8Array(await readFile(path));
      return { bytes, file: await openGguf(bytesSource(bytes)), path };
    },
  };
}

export async function dataOf(file: ModelFile, name: string): Promise<Uint8Array> {
  const { source, offset, bytes } = file.tensors.get(name) ?? expect.fail(`no ${name}`);
  return source.read(offset, bytes);
}

export async function valuesOf(file: ModelFile, name: string): Promise<Float32Array> {
  const { shape, format } = file.tensors.get(name) ?? expect.fail(`no ${name}`);
  const elements = shape.reduce((product, size) => product * size, 1);
  return format?.decode(await dataOf(file, name), elements) ?? expect.fail("no format");
}

/** The storyteller with scales that are halves. Every ternary format can hold them. */
export function withHalves(): Promise<Uint8Array> {
  return withStoredScales(starterPath, { kind: "multiply", dtype: "F16" });
}
