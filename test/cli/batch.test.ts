import { spawn } from "node:child_process";
import { appendFile, readFile, stat, writeFile } from "node:fs/promises";
import type OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type LanguageModel } from "#dist/index.js";
import { openServer, until } from "../server/open-server.js";
import {
  type BatchFolder,
  comparable,
  completions,
  countLines,
  makeBatchFolder,
  request,
  type ResultLine,
} from "../support/batch-workbench.js";
import { finishCli, mainScript, runCli, startCli, type CliResult } from "../support/run-cli.js";

let folder: BatchFolder;
beforeAll(async () => (folder = await makeBatchFolder()));
afterAll(() => folder[Symbol.asyncDispose]());

let files = 0;

/** Runs a batch of some lines. */
async function runLines(
  lines: readonly unknown[],
  ...flags: string[]
): Promise<
  CliResult & { readonly input: string; readonly output: string; readonly results: readonly ResultLine[] }
> {
  files += 1;
  const input = await folder.write(`in${files}.jsonl`, lines);
  const output = `out${files}.jsonl`;
  const result = await runCli(["batch", input, "-o", folder.path(output), "-t", "1", ...flags]);
  return { ...result, input, output: folder.path(output), results: folder.read(output) };
}

function byCustomId(results: readonly ResultLine[]): ReadonlyMap<string | null, ResultLine> {
  return new Map(results.map((result) => [result.custom_id, result]));
}

describe("bitnet batch", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(undefined, { threads: 1 });
  });
  afterAll(() => model.dispose());

  it("answers each route as the server does over HTTP", async () => {
    const bodies: [string, object][] = [
      ["/v1/completions", { prompt: "The fox", max_tokens: 6, seed: 5 }],
      ["/v1/completions", { prompt: ["The fox", "The king"], n: 2, max_tokens: 4, seed: 1, logprobs: 1 }],
      ["/v1/chat/completions", { messages: [{ role: "user", content: "Hello" }], max_tokens: 5, seed: 2 }],
      ["/v1/embeddings", { input: ["one fox", "two foxes"] }],
      ["/api/generate", { prompt: "The fox", options: { num_predict: 4, seed: 3 }, stream: false }],
      [
        "/api/chat",
        {
          messages: [{ role: "user", content: "Hello" }],
          options: { num_predict: 4, seed: 3 },
          stream: false,
        },
      ],
      ["/api/embed", { input: "one fox" }],
      ["/tokenize", { content: "The fox" }],
      ["/detokenize", { tokens: [71, 72] }],
      ["/v1/completions", { prompt: 5 }],
    ];
    const { status, results, stderr } = await runLines(
      bodies.map(([url, body], index) => request(`r${index}`, url, body)),
    );
    expect(status).toBe(1);
    expect(stderr).toContain("answered 10 of 10 requests");
    expect(stderr).toContain("BATCH_FAILED: 1 of 10 requests have errors");
    const answers = byCustomId(results);
    await using server = await closing(model);
    for (const [index, [url, body]] of bodies.entries()) {
      const response = await server.post(url, body);
      const expected: ResultLine = {
        id: answers.get(`r${index}`)?.id ?? "",
        custom_id: `r${index}`,
        response: {
          status_code: response.status,
          request_id: answers.get(`r${index}`)?.response?.request_id ?? "",
          body: (await response.json()) as Record<string, unknown>,
        },
        error: null,
      };
      expect(comparable([answers.get(`r${index}`) ?? expected])).toEqual(comparable([expected]));
    }
    for (const { id, response } of results) {
      expect(id).toMatch(/^batch_req_[0-9a-f]{32}$/);
      expect(response?.request_id).toMatch(/^req_[0-9a-f]{32}$/);
    }
  });

  it("writes bodies that OpenAI's client understands", async () => {
    const { results, status } = await runLines(completions(2, 3));
    expect(status).toBe(0);
    const [first] = results as unknown as { readonly response: { readonly body: OpenAI.Completion } }[];
    expect(first?.response.body.choices[0]?.finish_reason).toBe("length");
    expect(first?.response.body.usage?.completion_tokens).toBe(3);
  });

  it("gives a request without a seed one from its custom_id, on OpenAI's and Ollama's routes", async () => {
    const body = { prompt: "Once", max_tokens: 12 };
    const ollama = { prompt: "Once", raw: true, options: { num_predict: 12 } };
    const lines = [
      request("a", "/v1/completions", body),
      request("b", "/v1/completions", body),
      request("c", "/api/generate", ollama),
      request("d", "/api/generate", ollama),
    ];
    const first = await runLines(lines);
    const second = await runLines(lines.toReversed(), "--parallel", "1");
    expect(first.status).toBe(0);
    expect(comparable(second.results)).toEqual(comparable(first.results));
    const texts = [...byCustomId(first.results).values()].map(({ response }) =>
      JSON.stringify(response?.body.choices ?? response?.body.response),
    );
    expect(new Set(texts).size).toBe(4);
  });

  it("answers invalid lines with errors that name the line", async () => {
    const good = request("good", "/v1/completions", { prompt: "x", max_tokens: 1 });
    const { status, results, stderr } = await runLines([
      "\ufeff",
      good,
      "{torn",
      "[]",
      "",
      { method: "POST", url: "/v1/completions", body: {} },
      { custom_id: "", method: "POST", url: "/v1/completions", body: {} },
      good,
      { custom_id: "get", method: "GET", url: "/v1/models", body: {} },
      request("host", "http://example.com/v1/completions", {}),
      { custom_id: "body", method: "POST", url: "/v1/completions" },
      request("stream", "/v1/completions", { prompt: "x", stream: true }),
      request("route", "/v1/nothing", {}),
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain("10 of 11 requests have errors");
    const errors = results.flatMap(({ custom_id: name, error }) =>
      error === null ? [] : [[error.line, error.code, name] as const],
    );
    expect(errors.toSorted(([a], [b]) => a - b)).toEqual([
      [3, "invalid_json", null],
      [4, "invalid_json", null],
      [6, "missing_custom_id", null],
      [7, "missing_custom_id", null],
      [8, "duplicate_custom_id", "good"],
      [9, "invalid_method", "get"],
      [10, "invalid_url", "host"],
      [11, "invalid_body", "body"],
      [12, "invalid_body", "stream"],
      [13, "unknown_url", "route"],
    ]);
    for (const { error } of results) {
      if (error !== null) expect(error.message).toMatch(new RegExp(`^Line ${error.line}: .+`));
    }
    expect(byCustomId(results.filter(({ error }) => error === null)).get("good")?.response?.status_code).toBe(
      200,
    );
  });

  it("answers a line that is not UTF-8, and a last line without its line feed", async () => {
    const input = folder.path("bytes.jsonl");
    const line = JSON.stringify(request("a", "/tokenize", { content: "fox" }));
    await writeFile(input, Buffer.concat([Buffer.from([0xc3, 0x28, 0x0a]), Buffer.from(line)]));
    const { status } = await runCli(["batch", input, "-o", folder.path("bytes-out.jsonl")]);
    expect(status).toBe(1);
    const results = byCustomId(folder.read("bytes-out.jsonl"));
    expect(results.get(null)?.error).toMatchObject({ code: "invalid_json", line: 1 });
    expect(results.get("a")?.response?.status_code).toBe(200);
  });

  it("does nothing on a second run, and cuts a torn line and answers it again", async () => {
    const { input, output, results } = await runLines(completions(5, 3));
    const complete = await readFile(output, "utf8");
    const again = await runCli(["batch", input, "-o", output]);
    expect([again.status, await readFile(output, "utf8")]).toEqual([0, complete]);
    expect(again.stderr).toContain("5 of them by earlier runs");
    for (const length of [1, 12, 40, complete.length - 1]) {
      await writeFile(output, complete.slice(0, length));
      expect((await runCli(["batch", input, "-o", output])).status).toBe(0);
      expect(comparable(folder.read(output.split("/").at(-1) ?? ""))).toEqual(comparable(results));
    }
  });

  it("notes results to requests that are gone, and refuses results to requests that have changed", async () => {
    const lines = completions(4, 2);
    const { input, output } = await runLines(lines);
    await folder.write(input.split("/").at(-1) ?? "", lines.slice(2));
    const gone = await runCli(["batch", input, "-o", output]);
    expect(gone.status).toBe(0);
    expect(gone.stderr).toMatch(/keeps 2 results .* no longer has; the first is custom_id "story-\d"/);
    await folder.write(input.split("/").at(-1) ?? "", completions(4, 3));
    const before = await readFile(output, "utf8");
    const changed = await runCli(["batch", input, "-o", output]);
    expect(changed.status).toBe(2);
    expect(changed.stderr).toMatch(/INVALID_ARGUMENT: .*4 results to requests that differ now/);
    expect(await readFile(output, "utf8")).toBe(before);
  });

  it("keeps a second process away from its output", async () => {
    files += 1;
    const input = await folder.write(`in${files}.jsonl`, completions(40, 200));
    const output = folder.path(`out${files}.jsonl`);
    const first = startCli(["batch", input, "-o", output, "-t", "1"]);
    const finished = finishCli(first);
    await until(() => countLines(output) > 0);
    const second = await runCli(["batch", input, "-o", output]);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(new RegExp(`FILE_WRITE: .*process ${first.pid} writes it`));
    first.kill("SIGINT");
    expect((await finished).status).toBe(130);
    await expect(stat(`${output}.lock`)).rejects.toThrow("ENOENT");
  });

  it("notices another writer of its output", async () => {
    files += 1;
    const input = await folder.write(`in${files}.jsonl`, completions(100, 50));
    const output = folder.path(`out${files}.jsonl`);
    const first = startCli(["batch", input, "-o", output, "-t", "1"]);
    const finished = finishCli(first);
    await until(() => countLines(output) > 0);
    // Between a look at the size and the write after it, a change is overwritten. So there are several.
    while (first.exitCode === null) {
      await appendFile(output, "x\n");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { status, stderr } = await finished;
    expect(status).toBe(1);
    expect(stderr).toMatch(/FILE_WRITE: .*another program has changed it/);
  });

  it("stops at a full disk, and goes on when there is space", async () => {
    files += 1;
    const input = await folder.write(`in${files}.jsonl`, completions(30, 2));
    const output = folder.path(`out${files}.jsonl`);
    // The limit of a file's length, 2 KiB, stands for the disk. It takes a part of a line, as a disk does.
    const command = `trap '' XFSZ; ulimit -f 2; exec "$@"`;
    const child = spawn("bash", [
      "-c",
      command,
      "bash",
      process.execPath,
      mainScript,
      "batch",
      input,
      "-o",
      output,
    ]);
    const { status, stderr } = await finishCli(child);
    expect(status).toBe(1);
    expect(stderr).toMatch(/FILE_WRITE: Cannot write ".*out\d+.jsonl": .*too large/);
    const some = countLines(output);
    expect(some).toBeGreaterThan(0);
    expect(some).toBeLessThan(30);
    const second = await runCli(["batch", input, "-o", output]);
    expect(second.status).toBe(0);
    expect(second.stderr).toContain(`${some} of them by earlier runs`);
    expect(comparable(folder.read(`out${files}.jsonl`)).size).toBe(30);
  });

  it.each<readonly [string, (input: string) => readonly string[], number, RegExp]>([
    ["no output", (input) => [input], 2, /--output/],
    ["an input that is not there", () => ["nowhere.jsonl", "-o", "x"], 1, /FILE_NOT_FOUND.*nowhere/],
    [
      "an output without a folder",
      (input) => [input, "-o", "/nowhere/x"],
      1,
      /FILE_WRITE.*folder does not exist/,
    ],
    ["its input as the output", (input) => [input, "-o", input], 2, /it is the input/],
    [
      "another file as the output",
      (input) => [input, "-o", input.replace("refused", "foreign")],
      2,
      /line 1 is not a result/,
    ],
    ["a model that is not there", (input) => [input, "-o", "x", "no.gguf"], 1, /FILE_NOT_FOUND.*no\.gguf/],
    ["a queue without Redis", (input) => [input, "-o", "x", "--queue", "q"], 2, /only --redis/],
    [
      "threads with Redis",
      (input) => [input, "-o", "x", "--redis", "redis://localhost", "-t", "1"],
      2,
      /worker/,
    ],
    ["a queue's name with a colon", (input) => [input, "-o", "x", "--queue", "a:b"], 2, /--queue/],
  ])("refuses %s in one line", async (_, args, expectedStatus, message) => {
    const input = await folder.write("refused.jsonl", completions(1, 1));
    await folder.write("foreign.jsonl", ["{}"]);
    const { stdout, stderr, status } = await runCli(["batch", ...args(input)]);
    expect([stdout, status]).toEqual(["", expectedStatus]);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });
});

type ClosingServer = Awaited<ReturnType<typeof openServer>> & AsyncDisposable;

async function closing(model: LanguageModel): Promise<ClosingServer> {
  const server = await openServer(model);
  return { ...server, [Symbol.asyncDispose]: server.close };
}
