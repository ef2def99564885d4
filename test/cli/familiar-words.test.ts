import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { starterPath } from "../support/golden-path.js";
import { runCli } from "../support/run-cli.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-cli-words-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const text = ["-p", "Once upon a time", "-n", "3", "--temp", "0"] as const;
const written = "Once upon a time there was a\n";
const writtenByEmbedded = "Once upon a time, there was\n";

describe("words of llama.cpp and Ollama", () => {
  it.each<[string, string[], string?]>([
    ["-m", ["run", "-m", starterPath, ...text]],
    ["--model", ["run", ...text, "--model", starterPath]],
    ["--model=", ["run", ...text, `--model=${starterPath}`]],
    ["the embedded model's name", ["run", "storyteller", ...text], writtenByEmbedded],
    [
      "--temperature and --n-predict",
      ["run", "-p", text[1], "--n-predict", "3", "--temperature", "0"],
      writtenByEmbedded,
    ],
    [
      "--temperature= and --ctx-size=",
      ["run", ...text.slice(0, 4), "--temperature=0", "--ctx-size=64"],
      writtenByEmbedded,
    ],
  ])("%s", async (_, args, expected = written) => {
    const { stdout, status } = await runCli(args);
    expect([stdout, status]).toEqual([expected, 0]);
  });

  it("do not touch the value of a flag", async () => {
    const { stdout } = await runCli(["run", "-p", "-m", "-n", "1", "--temp", "0", "--stop", "--temperature"]);
    expect(stdout).toMatch(/^-m/);
  });

  it.each<[string, string[], RegExp]>([
    ["help", ["help"], /^Usage: bitnet <command>/],
    ["help run", ["help", "run"], /^Usage: bitnet run/],
    ["version", ["version"], /^\d+\.\d+\.\d+/],
    ["show", ["show"], /^storyteller\.gguf/],
  ])("%s", async (_, args, output) => {
    const { stdout, status } = await runCli(args);
    expect(status).toBe(0);
    expect(stdout).toMatch(output);
  });
});

describe("a mistake gets advice:", () => {
  it.each<[string, string[], RegExp, number]>([
    ["a port", ["serve", "--port", "99999"], /whole number from 0 to 65535/, 2],
    ["layers on a GPU", ["run", "-p", "x", "-ngl", "99"], /Cannot use -ngl: the model runs on the CPU/, 2],
    [
      "a type of keys",
      ["run", "-p", "x", "-ctk", "q8_0"],
      /Cannot use -ctk: .* use --cache-type f16 or --/,
      2,
    ],
    ["a text for a model", ["run", "Once upon a time"], /no such file.*give a text with -p/, 1],
    ["a word for a model", ["run", "phi3"], /The first argument is the model.*"storyteller"/, 1],
    ["the model twice", ["run", "-m", starterPath, starterPath, "-p", "x"], /too many arguments/, 2],
  ])("%s", async (_, args, message, expected) => {
    const { stderr, status } = await runCli(args);
    expect(stderr).toMatch(message);
    expect(status).toBe(expected);
  });

  it("owner/repo is a name on the hub unless there is such a path", async () => {
    const offline = { HF_HUB_OFFLINE: "1", HF_HUB_CACHE: folder };
    const { stderr } = await runCli(["run", "owner/repo", "-p", "x"], "", offline);
    expect(stderr).toMatch(/DOWNLOAD_FAILED: .*"hf:owner\/repo"/);
    expect((await runCli(["run", "models/none.gguf", "-p", "x"], "", offline)).stderr).toMatch(
      /no such file/,
    );
  });

  it("--json gives a failure as JSON too", async () => {
    const failed = await runCli(["run", "nowhere.gguf", "-p", "x", "--json"]);
    expect(JSON.parse(failed.stdout)).toEqual({
      error: { code: "FILE_NOT_FOUND", message: expect.stringContaining("nowhere.gguf") },
    });
    expect(failed.status).toBe(1);
    const usage = await runCli(["run", "--json", "-p", "x", "--frob"]);
    expect(JSON.parse(usage.stdout)).toMatchObject({ error: { code: "INVALID_ARGUMENT" } });
    expect((await runCli(["run", "--json", "--help"])).stdout).toMatch(/^Usage/);
  });
});

describe("a prompt's file", () => {
  const prompt = "Once upon a time";
  it.each<[string, Buffer]>([
    ["UTF-16, little endian", Buffer.from(`\ufeff${prompt}\r\n`, "utf16le")],
    ["UTF-16, big endian", Buffer.from(`\ufeff${prompt}\n`, "utf16le").swap16()],
  ])("may be %s", async (name, bytes) => {
    const file = join(folder, `${name}.txt`);
    await writeFile(file, bytes);
    expect((await runCli(["run", "-f", file, "-n", "3", "--temp", "0"])).stdout).toBe(writtenByEmbedded);
  });

  it("that is not text is refused", async () => {
    const file = join(folder, "latin1.txt");
    await writeFile(file, Buffer.from("caf\xe9s", "latin1"));
    expect((await runCli(["run", "-f", file])).stderr).toMatch(/FILE_CORRUPT: .*not UTF-8 text, at byte 3/);
  });
});

it("a file that is cut says so", async () => {
  const cut = join(folder, "cut.gguf");
  await writeFile(cut, (await readFile(starterPath)).subarray(0, 100_000));
  expect((await runCli(["inspect", cut])).stderr).toMatch(/of 100000 bytes; .*download it again/);
});
