import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluateTask, loadModel, perplexity, readTask } from "#dist/index.js";
import { starterPath } from "../support/golden-path.js";
import { type CliResult, finishCli, runCli, startCli } from "../support/run-cli.js";

const story = "Once upon a time there was a king, who had a daughter as fair as the day. ".repeat(30);
const arc = [
  ["Where does a fox sleep?", ["in a den", "on a cloud", "in the sea"], "A"],
  ["What did the king wear?", ["a crown", "a river", "noise"], "B"],
  ["Who rode the horse?", ["the knight", "the moon", "bread"], "A"],
]
  .map(([question, text, answerKey]) =>
    JSON.stringify({ question, choices: { text, label: ["A", "B", "C"] }, answerKey }),
  )
  .join("\n");
const piqa = [0, 1].map((i) => JSON.stringify({ goal: `Do it ${i}`, sol1: "so", sol2: "or so" })).join("\n");
const gsm = [2, 3].map((i) => JSON.stringify({ question: `${i} + 1?`, answer: `#### ${i + 1}` })).join("\n");

let folder: string;
/** The path of a file by its name. */
const path = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-cli-eval-"));
  const files = {
    "story.txt": `${story}\n`,
    "short.txt": "Once upon a time",
    "latin1.txt": Buffer.from("un peu d'\xe9t\xe9", "latin1"),
    "arc.jsonl": `${arc}\n`,
    "broken.jsonl": `${arc}\n{"question":`,
    "piqa.jsonl": piqa,
    "piqa-labels.lst": "0\n1\n",
    "gsm.jsonl": gsm,
    "notes.jsonl": '{"note":1}',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(path(name), text);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function succeeded({ stdout, stderr, status }: CliResult): string {
  expect([stderr, status]).toEqual(["", 0]);
  return stdout;
}

describe("bitnet perplexity", () => {
  it("--json has exactly the documented keys and the library's numbers", async () => {
    const args = ["perplexity", "-f", path("story.txt"), "-c", "64", "--json"];
    const result = JSON.parse(succeeded(await runCli(args))) as object;
    expect(Object.keys(result)).toEqual(["perplexity", "tokens", "chunks"]);
    await using model = await loadModel();
    // The text does not include the line break at the end of the file.
    const { perplexity: value, tokens, chunks } = await perplexity(model, story, { contextLength: 64 });
    expect(result).toEqual({ perplexity: value, tokens, chunks });
    const few = JSON.parse(succeeded(await runCli([...args, "--chunks", "2", "-t", "1"]))) as object;
    expect(few).toMatchObject({ chunks: 2, tokens: 62 });
    const strided = JSON.parse(
      succeeded(await runCli([...args, "--chunks", "2", "--stride", "16"])),
    ) as object;
    expect(strided).toMatchObject({ chunks: 2, tokens: 32 });
  });

  it("prints a line with the uncertainty, and says that chunks were cut to the context", async () => {
    const { stdout, stderr, status } = await runCli(["perplexity", starterPath, "-f", path("story.txt")]);
    expect(stdout).toMatch(
      /^perplexity \d+\.\d{4} ± \d+\.\d{4}: \d+ tokens scored, chunks of 256, 2 of them\n$/,
    );
    expect([stderr, status]).toEqual([
      "bitnet: the model holds 256 tokens: chunks were of 256, not 512\n",
      0,
    ]);
  });

  it.skipIf(process.platform === "win32")("prints the result so far when stopped", async () => {
    await writeFile(path("long.txt"), story.repeat(300));
    let last: CliResult | undefined;
    // Nothing is visible outside until the end. Each try waits longer for the program to load and start.
    for (const patienceMs of [1000, 3000, 9000, 27_000]) {
      const child = startCli(["perplexity", "-f", path("long.txt"), "-c", "16", "-t", "1", "--json"]);
      const finished = finishCli(child);
      setTimeout(() => child.kill("SIGINT"), patienceMs);
      last = await finished;
      expect(last.status).toBe(130);
      if (last.stdout !== "") break;
    }
    const { chunks } = JSON.parse(last?.stdout ?? "") as { readonly chunks: number };
    expect(chunks).toBeGreaterThan(0);
  });
});

describe("bitnet eval", () => {
  it("--json prints an object for every file, with the library's numbers", async () => {
    const files = ["arc.jsonl", "arc.jsonl"].flatMap((name) => ["-f", path(name)]);
    const lines = succeeded(await runCli(["eval", ...files, "--shots", "1", "--json"]))
      .trimEnd()
      .split("\n");
    await using model = await loadModel();
    const { metrics } = await evaluateTask(model, readTask(arc), { shots: 1 });
    const figures = Object.fromEntries(
      metrics.flatMap(({ name, value, stderr }) => [
        [name, value],
        [`${name}_stderr`, stderr],
      ]),
    );
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(JSON.parse(line)).toEqual({
        task: "arc",
        file: path("arc.jsonl"),
        items: 3,
        total: 3,
        shots: 1,
        truncated: 0,
        ...figures,
      });
    }
  });

  it("prints a table, a row for each metric", async () => {
    const args = ["eval", "-f", path("arc.jsonl"), "-f", path("gsm.jsonl"), "-n", "4", "--limit", "2"];
    const rows = succeeded(await runCli(args))
      .trimEnd()
      .split("\n");
    expect(rows[0]).toMatch(/^task +file +questions +shots +metric +value +stderr$/);
    expect(rows.slice(1).map((row) => row.split(/ +/).slice(0, 5).join(" "))).toEqual([
      "arc arc.jsonl 2 0 acc",
      "arc arc.jsonl 2 0 acc_norm",
      "arc arc.jsonl 2 0 acc_bytes",
      "gsm8k gsm.jsonl 2 0 strict_match",
      "gsm8k gsm.jsonl 2 0 flexible_extract",
    ]);
    for (const row of rows.slice(1)) expect(row).toMatch(/ [01]\.\d{4} +0\.\d{4}$/);
  });

  it("takes labels and examples from files of their own", async () => {
    const labels = ["-f", path("piqa.jsonl"), "--labels", path("piqa-labels.lst"), "--json"];
    expect(JSON.parse(succeeded(await runCli(["eval", ...labels])))).toMatchObject({
      task: "piqa",
      items: 2,
    });
    const examples = ["-f", path("gsm.jsonl"), "--shots", "2", "--examples", path("gsm.jsonl"), "--json"];
    const { stderr, status } = await runCli(["eval", ...examples]);
    expect([stderr, status]).toEqual([expect.stringMatching(/Invalid --shots: 2 .*only 1/), 2]);
  });

  it.each<[string, readonly string[], number, RegExp]>([
    ["no file", [], 2, /--file <path>' not specified/],
    ["a file that is not there", ["-f", "nowhere.jsonl"], 1, /FILE_NOT_FOUND: .*nowhere\.jsonl/],
    ["a task of no known name", ["-f", "x", "--task", "trivia"], 2, /--task.*Allowed choices are auto, arc/],
    ["no shots at all", ["-f", "arc.jsonl", "--shots", "-1"], 2, /INVALID_ARGUMENT: Invalid --shots: -1/],
    [
      "a broken line",
      ["-f", "broken.jsonl"],
      1,
      /FILE_CORRUPT: Cannot read ".*broken\.jsonl", line 4: it is not JSON/,
    ],
    [
      "an unknown form",
      ["-f", "notes.jsonl"],
      1,
      /FILE_CORRUPT: .*line 1: its fields belong to no known benchmark/,
    ],
    ["another task's lines", ["-f", "arc.jsonl", "--task", "piqa"], 1, /line 1: the field "goal" is missing/],
    ["labels for two files", ["-f", "arc.jsonl", "-f", "arc.jsonl", "--labels", "x"], 2, /give one -f/],
    ["a file that is not text", ["-f", "latin1.txt"], 1, /FILE_CORRUPT: .*not UTF-8 text, at byte 9/],
  ])("refuses %s in one line", async (_, args, expectedStatus, message) => {
    const resolved = args.map((arg) =>
      /\.(jsonl|txt)$/.test(arg) && arg !== "nowhere.jsonl" ? path(arg) : arg,
    );
    const { stdout, stderr, status } = await runCli(["eval", ...resolved]);
    expect([stdout, status]).toEqual(["", expectedStatus]);
    expect(stderr).toMatch(/^bitnet: [^\n]+\n$/);
    expect(stderr).toMatch(message);
  });

  it.each<[string, readonly string[], number, RegExp]>([
    ["no text", [], 2, /--file <path>' not specified/],
    [
      "too short a text",
      ["-f", "short.txt", "-c", "64"],
      2,
      /the text has 5 tokens, and chunks of 64 need at least 128/,
    ],
    ["chunks beyond the context", ["-f", "story.txt", "-c", "1100"], 2, /Invalid --ctx: 1100/],
    [
      "a stride beyond the context",
      ["-f", "story.txt", "-c", "1015", "--stride", "20"],
      2,
      /Invalid --stride: 20 makes chunks of 1025/,
    ],
    ["no chunks", ["-f", "story.txt", "--chunks", "0"], 2, /Invalid --chunks: 0/],
  ])("perplexity refuses %s in one line", async (_, args, expectedStatus, message) => {
    const resolved = args.map((arg) => (arg.endsWith(".txt") ? path(arg) : arg));
    const { stdout, stderr, status } = await runCli(["perplexity", ...resolved]);
    expect([stdout, status]).toEqual(["", expectedStatus]);
    expect(stderr).toMatch(/^bitnet: [^\n]+\n$/);
    expect(stderr).toMatch(message);
  });

  it.skipIf(process.platform === "win32")("prints the result so far when stopped", async () => {
    await writeFile(path("many.jsonl"), Array.from({ length: 50_000 }, () => arc).join("\n"));
    const child = startCli(["eval", "-f", path("arc.jsonl"), "-f", path("many.jsonl"), "-t", "1"]);
    const finished = finishCli(child);
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, 1000));
    child.kill("SIGINT");
    const { stdout, stderr, status } = await finished;
    expect(status).toBe(130);
    expect(stdout).toMatch(/^arc +many\.jsonl +\d+ +0 +acc +/m);
    expect(stderr).toMatch(/^bitnet: .*many\.jsonl: stopped after \d+ of 150000 questions\n$/);
  });

  it("the guide lists every benchmark and what its lines have", async () => {
    const guide = await readFile(new URL("../../docs/guide/evaluation.md", import.meta.url), "utf8");
    for (const name of ["arc", "winogrande", "boolq", "hellaswag", "piqa", "mmlu", "gsm8k"]) {
      expect(guide).toContain(`\`${name}\``);
    }
  });
});
