import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createServer, loadModel } from "#dist/index.js";
import { listen, type Listening } from "#dist/server/listen.js";
import { createSelfHealingServer, type SelfHealingServer } from "#dist/server/self-healing.js";
import { until } from "./open-server.js";

/** Threads that received a message: the workers of models. */
const workers = new Set<Worker>();
const post = Worker.prototype.postMessage;
let server: SelfHealingServer;
let listening: Listening;
let failures: unknown[];
let loads: number;
/** Number of loads that fail from now on. */
let refusals: number;

beforeEach(async () => {
  workers.clear();
  Worker.prototype.postMessage = function (this: Worker, ...message: Parameters<typeof post>): void {
    workers.add(this);
    post.apply(this, message);
  };
  [failures, loads, refusals] = [[], 0, 0];
  server = createSelfHealingServer({
    load: () => {
      loads += 1;
      if (refusals > 0) {
        refusals -= 1;
        return Promise.reject(new Error("no memory just now"));
      }
      return loadModel(undefined, { threads: 2 });
    },
    serve: (model, onModelFailed) => createServer(model, { onModelFailed, parallel: 2 }),
    onFailure: (error) => failures.push(error),
    retryMs: 5,
  });
  listening = await listen(server, { host: "127.0.0.1", port: 0 });
});
afterEach(async () => {
  Worker.prototype.postMessage = post;
  await listening.close(0);
});

const health = async (): Promise<string> => (await fetch(`${listening.url}/health`)).text();
const complete = (rest: object): Promise<Response> =>
  fetch(`${listening.url}/v1/completions`, {
    method: "POST",
    body: JSON.stringify({ prompt: "Once upon a time", temperature: 0, ...rest }),
  });

async function killOne(): Promise<void> {
  const [worker] = workers;
  workers.clear();
  await worker?.terminate();
}

describe("a server whose worker dies", () => {
  it("fails the current requests, loads the model again, and answers as before", async () => {
    expect(await health()).toBe('{"status":"loading"}');
    await server.start();
    expect(await health()).toBe('{"status":"ok"}');
    const before = await (await complete({ max_tokens: 8 })).json();

    refusals = 2;
    const stream = await complete({ max_tokens: 240, stream: true, logit_bias: {} });
    const [whole] = [complete({ max_tokens: 240 })];
    await killOne();
    const text = await stream.text();
    expect(text).toContain('"code":"worker_failed"');
    expect(text).not.toContain("[DONE]");
    const failed = await whole;
    expect(failed.status).toBe(503);
    expect(await failed.text()).toMatch(/worker_failed|loading/);

    await until(async () => (await health()) === '{"status":"ok"}');
    expect(loads).toBe(4);
    expect(failures).toMatchObject([{ code: "WORKER_FAILED" }, { message: "no memory just now" }, {}]);
    const after = await (await complete({ max_tokens: 8 })).json();
    expect(after).toMatchObject({ choices: (before as { choices: object[] }).choices });
  }, 30_000);

  it("notices it without requests", async () => {
    await server.start();
    await killOne();
    await until(() => loads === 2);
    await until(async () => (await health()) === '{"status":"ok"}');
  }, 30_000);

  it("stays alive while it loads again, and still drains afterwards", async () => {
    await server.start();
    server.drain();
    expect(await health()).toBe('{"status":"draining"}');
    refusals = 1;
    await killOne();
    await until(async () => (await health()) === '{"status":"loading"}');
    expect((await fetch(`${listening.url}/health/live`)).status).toBe(200);
    await until(async () => (await health()) === '{"status":"draining"}');
  }, 30_000);

  it("can end while it has no model", async () => {
    await server.start();
    refusals = Infinity;
    await killOne();
    await until(() => failures.length > 2);
    await server.dispose();
    const count = loads;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(loads).toBe(count);
  }, 30_000);
});

describe("a model that was loaded on demand", () => {
  it("is loaded again by the next request, and leaves the server ok", async () => {
    const errors: unknown[] = [];
    const load = (): ReturnType<typeof loadModel> => {
      loads += 1;
      return loadModel(undefined, { threads: 2 });
    };
    await using several = createServer(
      { models: { a: { load } } },
      { onError: (error) => errors.push(error) },
    );
    const ask = async (): Promise<Response> => {
      const body = JSON.stringify({ model: "a", prompt: "A", max_tokens: 1 });
      return several.fetch(new Request("http://localhost/v1/completions", { method: "POST", body }));
    };
    expect((await ask()).status).toBe(200);
    await killOne();
    await until(() => errors.length === 1);
    expect(errors).toMatchObject([{ code: "WORKER_FAILED" }]);
    await until(async () => (await ask()).status === 200);
    expect(loads).toBe(2);
    expect((await several.fetch(new Request("http://localhost/health"))).status).toBe(200);
  }, 30_000);
});

describe("createServer alone", () => {
  it("reports that its model has failed", async () => {
    await using model = await loadModel(undefined, { threads: 2 });
    let failure: unknown;
    await using alone = createServer(model, { onModelFailed: (error) => (failure = error) });
    await killOne();
    await until(() => failure !== undefined);
    const response = await alone.fetch(new Request("http://localhost/health"));
    expect([response.status, await response.text()]).toEqual([503, '{"status":"failed"}']);
    for (const path of ["live", "ready"])
      expect((await alone.fetch(new Request(`http://localhost/health/${path}`))).status).toBe(503);
  }, 30_000);
});
