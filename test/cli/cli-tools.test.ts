import { once } from "node:events";
import { access, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { starterPath, storytellerPath } from "../support/golden-path.js";
import { type CliResult, finishCli, runCli, startCli } from "../support/run-cli.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-cli-tools-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function missing(): never {
  throw new Error("there is no such result");
}

function succeeded({ stdout, stderr, status }: CliResult): string {
  expect([stderr, status]).toEqual(["", 0]);
  return stdout;
}

describe("bitnet inspect", () => {
  it("--json has the documented keys; no file is the embedded model", async () => {
    const embedded = succeeded(await runCli(["inspect", "--json"]));
    expect(succeeded(await runCli(["inspect", storytellerPath, "--json"]))).toBe(embedded);
    const inspection = JSON.parse(embedded) as { tensors: readonly object[] };
    expect(Object.keys(inspection)).toEqual(["architecture", "metadata", "tensors", "summary"]);
    expect(inspection).toMatchObject({
      architecture: "bitnet-b1.58",
      metadata: { "general.name": "storyteller" },
    });
    expect(inspection.tensors.length).toBe(79);
    expect(inspection.tensors[0]).toEqual({
      name: "token_embd.weight",
      shape: [384, 4096],
      type: "F16",
      bytes: 3_145_728,
    });
  });

  it("prints a table and a summary for people", async () => {
    const stdout = succeeded(await runCli(["inspect"]));
    expect(stdout).toMatch(/^storyteller\.gguf: bitnet-b1\.58, 6\.36 MB\n/);
    expect(stdout).toMatch(/^blk\.0\.attn_q\.weight +I2_S +384 × 384 +36\.9 kB$/m);
    expect(stdout).toMatch(/^bits per weight +3\.65$/m);
    expect(stdout).toMatch(/^read per token +6\.22 MB of weights, and 3\.58 kB of KV cache for each token/m);
    expect(stdout).not.toMatch(/^does not run/m);
  });

  it("estimates memory for a context and threads that are asked for", async () => {
    const small = succeeded(await runCli(["inspect", "--ctx", "64", "-t", "3"]));
    expect(small).toMatch(/^memory .* KV cache 229 kB for 64 tokens, working buffers .* for 3 threads$/m);
    const { stderr, status } = await runCli(["inspect", "--ctx", "0"]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(/--ctx/)]);
  });

  it("names the byte where a cut file breaks off", async () => {
    const path = join(folder, "cut.gguf");
    await writeFile(path, await readFile(starterPath));
    await truncate(path, 1000);
    const { stderr, status } = await runCli(["inspect", path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^bitnet: FILE_CORRUPT: [^\n]*byte \d+[^\n]*\n$/);
  });
});

describe("bitnet dummy", () => {
  it("writes a model that runs, and replaces one only with --force", async () => {
    const path = join(folder, "dummy.gguf");
    const args = ["dummy", "--size", "Tiny", "-o", path];
    expect(succeeded(await runCli(args))).toMatch(
      /dummy\.gguf: tiny in i2_s, head in f16, 2\.64 MB, 24 tensors, 2\.62 M parameters/,
    );
    const bytes = await readFile(path);

    const refused = await runCli([...args, "--seed", "5"]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/^bitnet: FILE_WRITE: [^\n]*--force[^\n]*\n$/);
    expect((await readFile(path)).equals(bytes)).toBe(true);

    const result = JSON.parse(
      succeeded(await runCli([...args, "--seed", "5", "--force", "--json"])),
    ) as object;
    expect(Object.keys(result)).toEqual([
      "path",
      "size",
      "type",
      "headType",
      "seed",
      "tensors",
      "parameters",
      "bytes",
      "writeMs",
    ]);
    expect(result).toMatchObject({
      path,
      size: "tiny",
      type: "i2_s",
      headType: "f16",
      seed: 5,
      tensors: 24,
      bytes: bytes.length,
    });
    expect((await readFile(path)).equals(bytes)).toBe(false);

    expect((await runCli(["run", path, "-p", "Hi", "-n", "4", "--temp", "0"])).status).toBe(0);
  });

  it.skipIf(process.platform === "win32")("leaves nothing behind when stopped", async () => {
    const inside = await mkdtemp(join(folder, "stopped-"));
    const child = startCli(["dummy", "--size", "7B", "-o", join(inside, "large.gguf")]);
    const finished = finishCli(child);
    while ((await readdir(inside)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGINT");
    expect(await finished).toEqual({ stdout: "", stderr: "", status: 130 });
    expect(await readdir(inside)).toEqual([]);
  });

  it("says where it cannot write", async () => {
    const path = join(folder, "missing", "dummy.gguf");
    const { stderr, status } = await runCli(["dummy", "--size", "tiny", "-o", path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^bitnet: FILE_WRITE: [^\n]*folder does not exist\n$/);
    await expect(access(path)).rejects.toThrow();
  });
});

describe("bitnet bench", () => {
  it("--json has exactly the documented keys, tests for every thread count", async () => {
    const args = ["bench", "-p", "8,16", "-n", "4", "-t", "1,2", "-r", "2", "--json"];
    const results = JSON.parse(succeeded(await runCli(args))) as Readonly<Record<string, string | number>>[];
    expect(results.map(({ test, threads }) => `${test}/${threads}`)).toEqual([
      "pp8/1",
      "pp16/1",
      "tg4/1",
      "pp8/2",
      "pp16/2",
      "tg4/2",
    ]);
    for (const result of results) {
      expect(Object.keys(result)).toEqual([
        "model",
        "test",
        "threads",
        "kernelBuild",
        "medianTokensPerSecond",
        "minTokensPerSecond",
        "maxTokensPerSecond",
        "repetitions",
        "peakRssBytes",
        "loadMs",
      ]);
      expect(result).toMatchObject({ model: "storyteller.gguf", repetitions: 2 });
      expect(result.minTokensPerSecond).toBeGreaterThan(0);
      expect(result.medianTokensPerSecond).toBeGreaterThanOrEqual(Number(result.minTokensPerSecond));
      expect(result.maxTokensPerSecond).toBeGreaterThanOrEqual(Number(result.medianTokensPerSecond));
      expect(result.peakRssBytes).toBeGreaterThan(10e6);
    }
  });

  it("prints a table, and says that the default prompt was cut to the context", async () => {
    const { stdout, stderr, status } = await runCli(["bench", starterPath, "-n", "4", "-t", "1", "-r", "1"]);
    expect([stderr, status]).toEqual([
      `bitnet: ${starterPath} holds 256 tokens: measuring pp256, not pp512\n`,
      0,
    ]);
    const lines = stdout.split("\n");
    expect(lines.slice(0, 4).map((line) => line.split(/ +/)[0])).toEqual([
      `${starterPath}:`,
      "test",
      "pp256",
      "tg4",
    ]);
    expect(lines[0]).toMatch(
      /5\.78 M parameters; a token reads 3\.31 MB of weights and 3\.07 kB of cache .*; packing fast, KV cache f16$/,
    );
    const share = /^tg4 +1 +\S+ +\S+ +\S+ … \S+ +\S+ .B\/s +(\d+) %/.exec(lines[3] ?? "");
    expect(Number(share?.[1])).toBeGreaterThan(0);
    expect(lines[2]).not.toContain("%");
    expect(lines[4]).toMatch(/^ {2}load: \d+ ms, \S+ .B of weights per second$/);
    expect(lines[5]).toMatch(
      /^ {2}first token: \d+ ms after loading began; \d+ ms after a prompt of 5 tokens/,
    );
    expect(lines[6]).toMatch(
      /^ {2}limit: \S+ tokens\/s; without other work, 1 thread reads these 3\.31 MB of weights at \S+ .B\/s/,
    );
    expect(lines[7]).toMatch(/^ {2}dot forms by their time: i\d+ 1\.00(, i\d+ \d\.\d\d)*$/);
    expect(lines[8]).toMatch(/^ {2}matmuls of prompts by their time: (lookup|i\d+) 1\.00/);
    expect(lines[9]).toMatch(/^ {2}energy/);
    expect(lines[10]).toMatch(/^ {2}estimate of the arithmetic alone.*0\.829 µJ at 7 nm/);
    expect(lines.slice(11)).toEqual([""]);
  });

  it("--json --details has the whole table; --profile parts add up to the token", async () => {
    const args = ["bench", "-p", "8", "-n", "4", "-t", "1", "-r", "2", "--json", "--details", "--profile"];
    interface Details {
      readonly firstToken: Readonly<Record<string, number>>;
      readonly profile: { readonly parts: readonly { readonly ms: number }[]; readonly tokenMs: number };
    }
    const [prompt, text] = JSON.parse(succeeded(await runCli(args))) as readonly (Details &
      Readonly<Record<string, unknown>>)[];
    expect(Object.keys(text ?? {}).slice(10)).toEqual([
      "dotForms",
      "promptForms",
      "threadShares",
      "packing",
      "cacheType",
      "loadBytesPerSecond",
      "firstToken",
      "bytesPerToken",
      "readBytesPerSecond",
      "bandwidthBytesPerSecond",
      "bandwidthShare",
      "joulesPerToken",
      "energyCounters",
      "estimatedArithmeticJoulesPerToken",
      "profile",
    ]);
    expect(prompt).toMatchObject({ bytesPerToken: null, bandwidthShare: null, profile: null });
    const { firstToken, profile } = text ?? missing();
    expect(Object.keys(firstToken)).toEqual([
      "promptTokens",
      "fromLoadMs",
      "coldMs",
      "medianMs",
      "minMs",
      "maxMs",
    ]);
    const hundredths = profile.parts.map(({ ms }) => Math.round(ms * 100));
    expect(hundredths.reduce((sum, part) => sum + part, 0)).toBe(Math.round(profile.tokenMs * 100));
    expect(Math.min(...hundredths)).toBeGreaterThanOrEqual(0);
  });

  it("takes tokens from a text by -f, and --profile says what of each layer was zero", async () => {
    const file = join(folder, "tale.txt");
    await writeFile(file, "Once upon a time there was a fox who lived in a wood.");
    const args = ["bench", "-p", "0", "-n", "20", "-t", "1", "-r", "1", "--profile", "-f"];
    const stdout = succeeded(await runCli([...args, file]));
    expect(stdout).toMatch(/^ {2}layer {2}zeros of the gate {2}zero int8 inputs of down$/m);
    const layers = [...stdout.matchAll(/^ +(\d) +(\d+\.\d) % +(\d+\.\d) %$/gm)].map((match) =>
      match.slice(1).map(Number),
    );
    expect(layers.map(([layer]) => layer)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const [, gate = NaN, input = NaN] of layers) expect(input).toBeGreaterThanOrEqual(gate);

    await writeFile(file, " \n");
    for (const [path, message] of [
      [file, /INVALID_ARGUMENT: There is no text/],
      [join(folder, "nowhere.txt"), /FILE_NOT_FOUND/],
    ] as const) {
      const { stderr, status } = await runCli([...args, path]);
      expect(status).not.toBe(0);
      expect(stderr).toMatch(message);
    }
  });

  it("refuses --details without --json", async () => {
    const { stderr, status } = await runCli(["bench", "--details"]);
    expect([stderr.split("\n").length, status]).toEqual([2, 2]);
    expect(stderr).toMatch(/^bitnet: INVALID_ARGUMENT: --details needs --json/);
  });

  it.skipIf(process.platform === "win32")("stops at Ctrl-C with status 130", async () => {
    const child = startCli(["bench", "-t", "1", "-r", "100000"]);
    const finished = finishCli(child);
    await once(child.stdout, "data");
    child.kill("SIGINT");
    expect((await finished).status).toBe(130);
  });
});
