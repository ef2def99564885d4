import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CliResult } from "../support/run-cli.js";
import { fixturePath, runScript } from "../support/run-script.js";

const compare = (...args: readonly string[]): Promise<CliResult> =>
  runScript("bench/compare/compare.mjs", args);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-compare-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Cells of the Markdown table below a title. The first row is the head. */
function tableBelow(text: string, title: string): readonly (readonly string[])[] {
  const lines = text.split("\n");
  const begin = lines.indexOf(title) + 2;
  expect(begin).toBeGreaterThan(1);
  const rows = lines.slice(begin).slice(
    0,
    lines.slice(begin).findIndex((line) => !line.startsWith("|")),
  );
  return rows
    .filter((_, index) => index !== 1)
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe("bench:compare", () => {
  it.each([
    [["--size", "2B5T"], "--size 2B5T: expected one of tiny, 2B4T"],
    [["--threads", "0"], "--threads 0: expected a whole number from 1 to 256"],
    [["--positions", "0,-1"], "--positions -1: expected a whole number from 0"],
    [["--rounds", "2.5"], "--rounds 2.5: expected a whole number from 1"],
    [["--only", "node24,node23"], '"node23" is none of node20, node22, node24, node26, deno, bun'],
    [["--runtimes", "--node", "x"], "--node is for one runtime"],
    [["--node", join(tmpdir(), "no-such-node")], "does not print its version"],
    [["--choices", "[1]"], "--choices [1]: expected a JSON object"],
    [["--native", join(tmpdir(), "no-such-bench")], "there is no such file"],
    [["--native-model", "model.gguf"], "--native-model is the model of --native PATH"],
    [["--faster"], "--faster"],
    [["2B4T"], "2B4T"],
    [["--print", join(tmpdir(), "no-such-results.json")], "no such file"],
  ])("%j is wrong usage: one line and status 2", async (args, message) => {
    const { stdout, stderr, status } = await compare("--models", folder, "--results", folder, ...args);
    expect([stdout, status]).toEqual(["", 2]);
    expect(stderr).toMatch(/^bench:compare: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });

  it("does not take other JSON for results", async () => {
    const file = join(folder, "other.json");
    await writeFile(file, "{}");
    expect((await compare("--print", file)).stderr).toContain("not results of bench:compare");
    await rm(file);
  });

  it("--help lists every option", async () => {
    const { stdout, status } = await compare("--help");
    expect(status).toBe(0);
    const source = await readFile(new URL("../../bench/compare/options.mjs", import.meta.url), "utf8");
    const options = [...source.matchAll(/^ {8}([a-z]+): (?:\{ type|whole)/gm)].map(([, name]) => name ?? "");
    expect(options).toContain("runtimes");
    for (const option of options.filter((name) => name !== "help")) {
      expect(stdout).toContain(option === "rival" ? "--no-rival" : `--${option}`);
    }
  });

  it("--print compares with node-llama-cpp and Node.js 24 round by round, and with what memory allows", async () => {
    const { stdout, stderr, status } = await compare("--print", fixturePath("bench-results.json"));
    expect([stderr, status]).toEqual(["", 0]);
    expect(stdout).toContain("Others had 1–25 % of the processors during the rounds: too much");
    expect(stdout).toContain("at 32.0 (30.0–34.0) GB/s (Node.js 24.1.2)");
    expect(stdout).toContain("reads 800 MB here, so that 40.0 tokens/s are what memory allows");
    expect(tableBelow(stdout, "prompt, pp128")).toEqual([
      ["runtime", "tokens/s", "× node-llama-cpp 3.22.1", "× Node.js 24.1.2"],
      // The samples are 30/60, 33/50, 36/64 and 30/80, 33/84, 36/88.
      ["Node.js 20.19.0", "33.0 (30.0–36.0)", "0.56 (0.50–0.66)", "0.39 (0.38–0.41)"],
      ["Node.js 24.1.2", "84.0 (80.0–88.0)", "1.38 (1.33–1.68)", "1"],
      ["node-llama-cpp 3.22.1", "60.0 (50.0–64.0)", "1", "0.73 (0.60–0.75)"],
    ]);
    const [head, slow, fast, rival] = tableBelow(stdout, "decode, tg128");
    expect(head?.[2]).toBe("of what memory allows");
    // The maximum read rate of the rounds is 32, 31 and 34 GB/s: 18 · 0.8/32, 16 · 0.8/31, 20 · 0.8/34.
    expect(slow?.[2]).toBe("0.45 (0.41–0.47)");
    // 30 · 0.8/32, 32 · 0.8/31, 34 · 0.8/34.
    expect(fast?.[2]).toBe("0.80 (0.75–0.83)");
    // 20 · 1.2/32, 16 · 1.2/31, 17 · 1.2/34. The rival reads more bytes per token.
    expect(rival?.[2]).toBe("0.62 (0.60–0.75)");
    expect(tableBelow(stdout, "start and memory")[2]).toEqual([
      "Node.js 24.1.2",
      "relaxed/narrow/256",
      "1.25 (1.20–1.30)",
      "1.38 (1.35–1.40)",
      "90 (80–100)",
      "1.01",
      "1.12",
    ]);
    expect(stdout).toContain("decode at position 2000 against position 0, Node.js 24.1.2: 0.75 (0.50–0.80)");
  });

  it("measures this runtime on a small model, and keeps what it prints", async () => {
    const args = [
      "--size",
      "tiny",
      "--quick",
      "--no-rival",
      "--threads",
      "1",
      "--rounds",
      "2",
      "--loads",
      "2",
    ];
    const { stdout, status } = await compare(...args, "--models", folder, "--results", folder);
    expect(status).toBe(0);
    const [file, ...others] = (await readdir(folder)).filter((name) => name.endsWith(".json"));
    expect(others).toEqual([]);
    expect(file).toMatch(/^compare-tiny-\d{4}-\d\d-\d\dT[\d-]+Z\.json$/);
    const path = join(folder, file ?? "");
    expect(stdout).toContain((await compare("--print", path)).stdout.trim());

    interface Kept {
      readonly commit: string;
      readonly machine: object;
      readonly sides: readonly Readonly<Record<string, unknown>>[];
      readonly tests: readonly { readonly name: string; readonly samples: Record<string, number[]> }[];
    }
    const text = await readFile(path, "utf8");
    const record = JSON.parse(text) as Kept;
    expect(Object.keys(record.machine)).toEqual(["cpu", "cores", "memoryBytes", "platform", "arch"]);
    expect(record.commit).not.toBe("");
    const id = `node${process.versions.node.split(".")[0] ?? ""}`;
    expect(record.sides).toMatchObject([
      { id, version: `Node.js ${process.versions.node}`, loads: [{}, {}], v8: process.versions.v8 },
    ]);
    expect(record.tests.map(({ name, samples }) => [name, samples[id]?.length])).toEqual([
      ["pp128", 2],
      ["tg32", 2],
      ["first", 2],
      ["read", 2],
    ]);
    for (const { samples } of record.tests) {
      for (const value of samples[id] ?? []) expect(value).toBeGreaterThan(0);
    }
    // Results are published, so they must not contain paths of the machine.
    expect(text).not.toContain(folder);
    expect(text).not.toContain(process.execPath);
  });

  it("measures decode by position, and prints ratios to position 0", async () => {
    const own = await mkdtemp(join(folder, "positions-"));
    const args = ["--size", "tiny", "--no-rival", "--threads", "1", "--rounds", "2", "--loads", "1"];
    const folders = ["--models", folder, "--results", own];
    const { stdout, status } = await compare(...args, "--positions", "0,100", ...folders);
    expect(status).toBe(0);
    const [head, row] = tableBelow(stdout, "decode by position");
    expect(head).toEqual(["runtime", "tokens/s at 0", "tokens/s at 100"]);
    expect(row?.[2]).toMatch(/^\d+\.\d \(\d\.\d\d\)$/);
    expect(await readdir(own)).toEqual([expect.stringMatching(/^positions-tiny-.*\.json$/)]);
  });

  it.skipIf(process.platform === "win32")(
    "measures a llama-bench beside it, and compares with it",
    async () => {
      const own = await mkdtemp(join(folder, "native-"));
      const bench = join(own, "llama-bench");
      // 50 tokens per second for prompts, 20 for texts, after a line that is no JSON.
      const answer = `const speed = process.argv.indexOf("0") > process.argv.indexOf("-n") ? 50 : 20;
console.log("loading");
console.log(JSON.stringify([{ build_commit: "abc123", model_type: "fake 1B", avg_ts: speed }], null, 1));`;
      await writeFile(bench, `#!${process.execPath}\n${answer}\n`, { mode: 0o755 });
      const args = ["--size", "tiny", "--quick", "--no-rival", "--threads", "1", "--rounds", "1"];
      const native = ["--native", bench, "--native-model", bench];
      const { stdout, stderr, status } = await compare(
        ...args,
        ...native,
        "--models",
        folder,
        "--results",
        own,
      );
      expect(status, stderr).toBe(0);
      const name = "llama-bench abc123, fake 1B";
      expect(tableBelow(stdout, "prompt, pp128")[0]).toContain(`× ${name}`);
      expect(tableBelow(stdout, "prompt, pp128")[2]?.slice(0, 2)).toEqual([name, "50.0"]);
      expect(tableBelow(stdout, "decode, tg32")[2]?.slice(0, 2)).toEqual([name, "20.0"]);
      expect(tableBelow(stdout, "start and memory").length).toBe(2);
    },
  );

  it.skipIf(process.platform === "win32")("fails with the words of a llama-bench that fails", async () => {
    const own = await mkdtemp(join(folder, "failing-"));
    const bench = join(own, "llama-bench");
    await writeFile(bench, `#!${process.execPath}\nconsole.error("no such type"); process.exit(1);\n`, {
      mode: 0o755,
    });
    const args = ["--size", "tiny", "--quick", "--no-rival", "--native", bench, "--native-model", bench];
    const { stderr, status } = await compare(...args, "--models", folder, "--results", own);
    expect(status).not.toBe(0);
    expect(stderr).toContain("no such type");
  });
});
