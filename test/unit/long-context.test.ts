import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { starterPath } from "../support/golden-path.js";
import { rewriteModel } from "../support/rewritten-model.js";

const run = promisify(execFile);

async function withContext(positions: number): Promise<Uint8Array> {
  return rewriteModel(starterPath, ({ metadata }) => {
    metadata.set("bitnet-b1.58.context_length", { type: "uint32", value: positions });
  });
}

/** Loads a model, writes a text, and prints the seconds and the bytes that it took. */
const script = `
  import { loadModel } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
  const before = process.memoryUsage().rss;
  const startedMs = performance.now();
  const model = await loadModel(process.argv[1], { threads: 2 });
  const text = await model.complete("Once upon a time", { maxTokens: 6, temperature: 0 });
  const seconds = (performance.now() - startedMs) / 1000;
  const { rss } = process.memoryUsage();
  console.log(JSON.stringify({ text, seconds, bytes: rss - before, context: model.info.contextLength }));
  await model.dispose();
`;

describe("a context of ten million positions in the metadata", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bitnet-context-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("costs nothing until it is used", async () => {
    const path = join(folder, "long.gguf");
    await writeFile(path, await withContext(10_485_760));
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script, path]);
    const { text, seconds, bytes, context } = JSON.parse(stdout) as Record<string, number | string>;
    await using short = await loadModel(starterPath, { threads: 2 });
    expect(text).toBe(await short.complete("Once upon a time", { maxTokens: 6, temperature: 0 }));
    expect(context).toBeGreaterThan(100_000);
    // It took 21 s and 9.2 GB when the tables of all positions were made at load.
    expect(seconds).toBeLessThan(8);
    expect(bytes).toBeLessThan(400e6);
  });
});

describe("rotary tables that grow with use", () => {
  it("give the same bits whatever was asked for before", async () => {
    const bytes = await withContext(2000);
    const ids = Array.from({ length: 1000 }, (_, index) => 300 + (index % 700));
    const last = async (cuts: readonly number[]): Promise<Float32Array> => {
      await using model = await loadModel(bytes, { threads: 2, engine: { regionBytes: 8 << 20 } });
      using session = model.createSession({ contextLength: 1000 });
      let logits = new Float32Array();
      let begin = 0;
      for (const end of [...cuts, ids.length]) {
        logits = await session.evaluate(ids.slice(begin, end));
        begin = end;
      }
      return logits;
    };
    const whole = await last([]);
    expect(await last([1, 255, 256, 257, 511, 600])).toEqual(whole);
  });
});
