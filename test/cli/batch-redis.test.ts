import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { modelDigest } from "#dist/batch/model-digest.js";
import { connectRedis } from "#dist/batch/redis/connection.js";
import { type JobData, newJob, queueName } from "#dist/batch/redis/job.js";
import { runWorker } from "#dist/batch/redis/run-worker.js";
import type { BatchAnswer } from "#dist/batch/result.js";
import { embeddedModelUrl } from "#dist/language-model/find-source.js";
import { until } from "../server/open-server.js";
import {
  type BatchFolder,
  comparable,
  completions,
  countLines,
  makeBatchFolder,
  request,
} from "../support/batch-workbench.js";
import { redisProgram, type RedisServer, startRedis } from "../support/redis-server.js";
import { type CliResult, finishCli, runCli, startCli } from "../support/run-cli.js";

// A visible note, so that nobody takes the skipped tests for passed ones.
const subject =
  redisProgram === undefined
    ? "batches over Redis (SKIPPED: neither redis-server nor valkey-server in the PATH; on Debian: apt-get install redis-server)"
    : "batches over Redis";
if (redisProgram === undefined) console.warn(subject);

/** Requests of the test with failures. */
const prompts = Number(process.env.BATCH_PROMPTS ?? 400);

/** A command that runs. */
interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly finished: Promise<CliResult>;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

const running: Running[] = [];

function start(...args: string[]): Running {
  const child = startCli(args);
  let [out, err] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (out += text.toString()));
  child.stderr.on("data", (text: Buffer) => (err += text.toString()));
  const command = { child, finished: finishCli(child), stdout: () => out, stderr: () => err };
  running.push(command);
  return command;
}

describe.skipIf(redisProgram === undefined)(subject, () => {
  let folder: BatchFolder;
  let redis: RedisServer;
  let digest: string;
  beforeAll(async () => {
    folder = await makeBatchFolder();
    redis = await startRedis(redisProgram ?? "");
    digest = await modelDigest(embeddedModelUrl);
  });
  afterEach(async () => {
    for (const { child } of running) child.kill("SIGKILL");
    await Promise.all(running.splice(0).map(({ finished }) => finished));
  });
  afterAll(async () => {
    await redis[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const startWorker = (...flags: string[]): Running =>
    start("worker", "--redis", redis.url, "-t", "1", "--stall-timeout", "2", ...flags);
  const startBatch = (input: string, output: string, ...flags: string[]): Running =>
    start("batch", input, "-o", output, "--redis", redis.url, ...flags);
  const openQueue = (prefix = "bitnet"): Queue<unknown, BatchAnswer> => {
    const { hostname: host, port } = new URL(redis.url);
    return new Queue(queueName(prefix, digest), { connection: { host, port: Number(port) } });
  };

  it("loses and doubles nothing while workers, the batch and Redis die", { timeout: 600_000 }, async () => {
    const lines: unknown[] = completions(prompts, 8);
    lines.push("not JSON", request("route", "/v1/nothing", {}));
    const input = await folder.write("in.jsonl", lines);
    const output = folder.path("out.jsonl");
    const reached = (share: number): Promise<void> => until(() => countLines(output) >= share * prompts);

    const workers = [startWorker(), startWorker(), startWorker()];
    const killedBatch = startBatch(input, output);
    await reached(0.15);
    workers[0]?.child.kill("SIGKILL");
    await reached(0.3);
    killedBatch.child.kill("SIGKILL");
    await killedBatch.finished;
    const secondBatch = startBatch(input, output);
    await reached(0.5);
    workers.push(startWorker());
    await reached(0.6);
    // It loses the commands of its last second.
    await redis.stop("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await redis.start();
    await reached(0.8);
    workers[1]?.child.kill("SIGTERM");
    expect(await workers[1]?.finished).toMatchObject({ status: 0 });

    const { status, stderr } = await secondBatch.finished;
    expect(stderr).toMatch(/Redis at redis:\/\/127\.0\.0\.1:\d+ is lost/);
    expect(stderr).toContain("is back");
    expect(stderr).toMatch(`answered ${prompts + 2} of ${prompts + 2} requests`);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining(`2 of ${prompts + 2} requests have errors`),
    ]);

    const alone = await runCli(["batch", input, "-o", folder.path("alone.jsonl"), "-t", "1"]);
    expect(alone.status).toBe(1);
    expect(comparable(folder.read("out.jsonl"))).toEqual(comparable(folder.read("alone.jsonl")));
    // The batch has taken its jobs out of the queue.
    const queue = openQueue();
    await until(async () => (await queue.getActiveCount()) === 0);
    expect(await queue.getJobCounts("completed", "failed", "wait", "delayed")).toEqual({
      completed: 0,
      failed: 0,
      wait: 0,
      delayed: 0,
    });
    await queue.close();
  });

  it("fills the fields that dashboards show", async () => {
    const worker = startWorker("--queue", "shown");
    const queue = openQueue("shown");
    const body = { prompt: "The fox", max_tokens: 3 };
    const data = { line: 1, id: "batch_req_1", customId: "a", url: "/v1/completions", body };
    await queue.addBulk([newJob(data, digest)]);
    await until(async () => (await queue.getCompletedCount()) === 1);
    const job = await queue.getJob("batch_req_1");
    expect(job).toMatchObject({
      name: "/v1/completions",
      data: { custom_id: "a", method: "POST", url: "/v1/completions", body, model: digest } satisfies JobData,
      progress: 100,
      returnvalue: { response: { status_code: 200, request_id: "req_1" }, error: null },
    });
    expect(worker.stdout()).toBe(`Working on the queue shown-${digest.slice(0, 16)} at ${redis.url}\n`);
    await queue.close();
  });

  it("refuses jobs for another model, and the batch reports them", async () => {
    startWorker("--queue", "foreign");
    const queue = openQueue("foreign");
    const data = { line: 1, id: "batch_req_2", customId: "a", url: "/v1/completions", body: {} };
    await queue.addBulk([newJob(data, "another model")]);
    await until(async () => (await queue.getFailedCount()) === 1);
    const job = await queue.getJob("batch_req_2");
    expect(job?.failedReason).toContain(`it is not a request to the model ${digest}`);
    expect(job?.attemptsMade).toBe(1);
    await queue.close();
  });

  it("gives its jobs back when its model dies", async () => {
    const queue = openQueue("dying");
    const data = { line: 1, id: "batch_req_3", customId: "a", url: "/v1/completions", body: {} };
    await queue.addBulk([newJob(data, digest)]);
    let fail: (error: Error) => void = () => undefined;
    const worker = runWorker({
      connection: await connectRedis(redis.url, () => undefined),
      prefix: "dying",
      model: digest,
      answer: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new Error("given back")));
          fail(new Error("a thread died"));
        }),
      concurrency: 1,
      stallMs: 60_000,
      modelFailure: new Promise((_, reject) => (fail = reject)),
      onReady: () => undefined,
      onNote: () => undefined,
      signal: new AbortController().signal,
    });
    await expect(worker).rejects.toThrow("a thread died");
    expect(await queue.getJobState("batch_req_3")).toBe("waiting");
    expect((await queue.getJob("batch_req_3"))?.attemptsMade).toBe(0);
    await queue.close();
  });

  it("says that no worker has the batch's model, and stops at once on Ctrl-C", async () => {
    const input = await folder.write("lonely.jsonl", completions(3, 2));
    const batch = startBatch(input, folder.path("lonely-out.jsonl"), "--queue", "lonely");
    await until(() => batch.stderr().includes("No worker serves"));
    expect(batch.stderr()).toContain(`"lonely-${digest.slice(0, 16)}"`);
    batch.child.kill("SIGINT");
    expect((await batch.finished).status).toBe(130);
  });

  it("stops within two seconds on SIGTERM while Redis is lost", async () => {
    await using lost = await startRedis(redisProgram ?? "");
    const worker = start("worker", "--redis", lost.url, "-t", "1");
    await until(() => worker.stdout().includes("Working on the queue"));
    await lost.stop("SIGKILL");
    await until(() => worker.stderr().includes("is lost"));
    const startedMs = performance.now();
    worker.child.kill("SIGTERM");
    expect((await worker.finished).status).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });

  it("waits while Redis has no memory left, and goes on", async () => {
    await using small = await startRedis(redisProgram ?? "", "--maxmemory", "1");
    const input = await folder.write("full.jsonl", completions(3, 2));
    const output = folder.path("full-out.jsonl");
    const batch = start("batch", input, "-o", output, "--redis", small.url);
    await until(() => batch.stderr().includes("Redis refuses a command: OOM"));
    const client = new Redis(small.url);
    await client.config("SET", "maxmemory", "0");
    client.disconnect();
    start("worker", "--redis", small.url, "-t", "1");
    expect((await batch.finished).status).toBe(0);
    expect(countLines(output)).toBe(3);
  });

  it.each<readonly [string, string, number, RegExp]>([
    [
      "a Redis that is not there",
      "redis://127.0.0.1:1",
      1,
      /BATCH_FAILED: Cannot use Redis at redis:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/,
    ],
    ["a wrong address", "localhost:6379", 2, /Invalid --redis/],
  ])("refuses %s", async (_, url, expectedStatus, message) => {
    const input = await folder.write("refused.jsonl", completions(1, 1));
    const commands = [
      ["batch", input, "-o", folder.path("refused-out.jsonl")],
      ["worker", "no-such-model.gguf"],
    ];
    for (const command of commands) {
      const { status, stderr } = await runCli([...command, "--redis", url]);
      expect([status, stderr]).toEqual([expectedStatus, expect.stringMatching(message)]);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    }
  });

  it("hides the password of an address", async () => {
    const { stderr } = await runCli(["worker", "--redis", redis.url.replace("//", "//user:secret@")]);
    expect(stderr).toMatch(/BATCH_FAILED: Cannot use Redis at .*WRONGPASS/);
    expect(stderr).not.toContain("secret");
  });
});

it("names the packages to install if they are missing", async () => {
  // A user without the optional packages.
  const hooks = `export function resolve(name, context, next) {
    if (name === "bullmq") throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
    return next(name, context);
  }`;
  const url = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
  const register = `import { register } from "node:module"; register(${JSON.stringify(url(hooks))});`;
  const { status, stderr } = await runCli(["worker", "--redis", "redis://127.0.0.1:1"], "", {
    NODE_OPTIONS: `--import ${url(register)}`,
  });
  expect([status, stderr]).toEqual([1, expect.stringMatching(/BATCH_FAILED: .*npm install bullmq ioredis/)]);
});
