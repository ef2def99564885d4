import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { architectureCases } from "../conformance/architecture-cases.js";
import { runCli } from "../support/run-cli.js";
import { makeTinyModel } from "../support/tiny-model.js";

interface EmbedJson {
  readonly model: string;
  readonly dimensions: number;
  readonly embeddings: readonly (readonly number[])[];
}

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-cli-embed-"));
  path = join(folder, "tiny.gguf");
  const found = architectureCases.find(({ name }) => name.includes("stored as halves"));
  if (found === undefined) throw new Error("no such case");
  const metadata = new Map([...found.metadata, ["qwen3.context_length", 400] as const]);
  await writeFile(path, (await makeTinyModel(metadata, found.tensors, found.formats, 11)).bytes);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function embedJson(args: readonly string[], input = ""): Promise<EmbedJson> {
  const { stdout, stderr, status } = await runCli(["embed", "--json", ...args], input);
  expect([stderr, status]).toEqual(["", 0]);
  return JSON.parse(stdout) as EmbedJson;
}

describe("bitnet embed", () => {
  it("--json has what the library gives, to the bit", async () => {
    const texts = ["The fox drinks.", "x"];
    const result = await embedJson([path, ...texts]);
    expect(Object.keys(result)).toEqual(["model", "dimensions", "embeddings"]);
    expect(result).toMatchObject({ model: path, dimensions: 64 });
    await using model = await loadModel(path, { threads: 1 });
    const expected = await model.embed(texts);
    expect(result.embeddings.map((embedding) => Float32Array.from(embedding))).toEqual(expected);
  });

  it("passes kind, instruction and pooling on", async () => {
    await using model = await loadModel(path, { threads: 1 });
    for (const [args, options] of [
      [["--kind", "query"], { kind: "query" }],
      [["--kind", "query", "--instruction", "Sort"], { kind: "query", instruction: "Sort" }],
      [["--pooling", "mean"], { pooling: "mean" }],
    ] as const) {
      const [expected] = await model.embed(["red"], options);
      const { embeddings } = await embedJson([path, "red", ...args]);
      expect(Float32Array.from(embeddings[0] ?? [])).toEqual(expected);
    }
  });

  it("takes lines of a file or of standard input, and the embedded model where none is named", async () => {
    const lines = join(folder, "lines.txt");
    await writeFile(lines, "one fox\r\n\ntwo foxes\n");
    const { embeddings } = await embedJson(["-f", lines]);
    expect(embeddings).toHaveLength(2);
    expect((await embedJson([], "one fox\ntwo foxes")).embeddings).toEqual(embeddings);
    expect((await embedJson(["one fox", "two foxes"])).embeddings).toEqual(embeddings);
  });

  it("prints a line of numbers for each text", async () => {
    const { stdout, status } = await runCli(["embed", path, "a", "b"]);
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      const numbers = line.split(" ").map(Number);
      expect(numbers).toHaveLength(64);
      expect(Math.hypot(...numbers)).toBeCloseTo(1, 6);
    }
  });

  it.each<readonly [string, readonly string[], number, RegExp]>([
    ["no text", [], 2, /^bitnet: .*no text to embed.*\n$/],
    ["an unknown kind", ["a", "--kind", "answer"], 2, /^bitnet: .*--kind.*document.*query.*\n$/],
    ["an instruction for documents", ["a", "--instruction", "x"], 2, /^bitnet: .*--instruction.*\n$/],
    ["two sources", ["a", "-f", "b.txt"], 2, /^bitnet: .*arguments and --file together.*\n$/],
    ["a model that is not there", ["nowhere.gguf", "a"], 1, /^bitnet: .*FILE_NOT_FOUND.*\n$/],
  ])("refuses %s in one line", async (_, args, expectedStatus, message) => {
    const { stdout, stderr, status } = await runCli(["embed", ...args]);
    expect([stdout, status]).toEqual(["", expectedStatus]);
    expect(stderr).toMatch(message);
  });
});
