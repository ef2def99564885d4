import { afterEach, describe, expect, it } from "vitest";
import { createServer, loadModel, type RequestRecord } from "#dist/index.js";
import { until } from "./open-server.js";
import {
  ask,
  embedderBytes,
  outOfMemory,
  severalServer,
  type SeveralServer,
  type WatchedModel,
  watchedModel,
} from "./several-models.js";

const completions = "/v1/completions";
let opened: SeveralServer | undefined;
afterEach(async () => opened?.server.dispose());

function open(...parameters: Parameters<typeof severalServer>): SeveralServer {
  opened = severalServer(...parameters);
  return opened;
}

const two = (): Record<"a" | "b", WatchedModel> => ({ a: watchedModel(), b: watchedModel() });

/** A promise that a test resolves. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let release = (): void => undefined;
  const opens = new Promise<void>((resolve) => (release = resolve));
  return { opened: opens, open: () => release() };
}

describe("the model of a request", () => {
  it("is loaded when it is first asked for, and named in the answer", async () => {
    const models = two();
    const { post, loaded, get } = open(models);
    expect(await get("/health")).toEqual({ status: "ok" });
    expect(await loaded()).toEqual([]);
    expect(await post(completions, ask("b"))).toMatchObject({ status: 200, body: { model: "b" } });
    expect(await loaded()).toEqual(["b"]);
    expect([models.a.loads(), models.b.loads()]).toEqual([0, 1]);
    expect(await post(completions, ask("a:latest"))).toMatchObject({ status: 200, body: { model: "a" } });
    expect(await loaded()).toEqual(["a", "b"]);
  });

  it("is 404 with the names of all, in each protocol's form, if it is unknown", async () => {
    const models = two();
    const { post, get } = open(models);
    const message = "model 'x' not found: this server has 'a', 'b'";
    const messages = [{ role: "user", content: "Hi" }];
    const error = { message, type: "invalid_request_error", param: "model", code: "model_not_found" };
    for (const [path, body] of [
      ["/v1/chat/completions", { messages }],
      [completions, { prompt: "A" }],
      ["/v1/embeddings", { input: "A" }],
      ["/v1/responses", { input: "A" }],
      ["/tokenize", { content: "A" }],
    ] as const) {
      expect([path, await post(path, { model: "x", ...body })]).toEqual([
        path,
        { status: 404, body: { error } },
      ]);
    }
    for (const [path, body] of [
      ["/api/chat", { messages }],
      ["/api/generate", { prompt: "A" }],
      ["/api/generate", {}],
      ["/api/embed", { input: "A" }],
      ["/api/embeddings", { prompt: "A" }],
      ["/api/show", {}],
    ] as const) {
      expect([path, await post(path, { model: "x", ...body })]).toEqual([
        path,
        { status: 404, body: { error: message } },
      ]);
    }
    expect(await post("/v1/messages", { model: "x", max_tokens: 1, messages })).toEqual({
      status: 404,
      body: { type: "error", error: { type: "not_found_error", message } },
    });
    expect(await get("/v1/models/x")).toEqual({ error });
    expect([models.a.loads(), models.b.loads()]).toEqual([0, 0]);
  });

  it("may be absent in llama.cpp's routes only, which then use the first", async () => {
    const models = two();
    const { post, get } = open(models);
    expect(await post("/tokenize", { content: "A" })).toMatchObject({ status: 200 });
    expect(await post("/apply-template", { messages: [{ role: "user", content: "A" }] })).toMatchObject({
      status: 200,
    });
    expect(await get("/props")).toMatchObject({ model_alias: "a" });
    expect(await get("/props?model=b")).toMatchObject({ model_alias: "b" });
    for (const model of [undefined, "", null, 7]) {
      expect(await post(completions, { ...ask("a"), model })).toMatchObject({
        status: 400,
        body: { error: { param: "model" } },
      });
    }
    expect(await post("/api/generate", { prompt: "A" })).toMatchObject({ status: 400 });
  });

  it("has one name only", () => {
    const model = watchedModel();
    for (const names of [["a", "a:latest"], ["owner/a", "hf:owner/a"], [""]]) {
      const models = Object.fromEntries(names.map((name) => [name, model]));
      expect(() => createServer({ models })).toThrow(/Invalid name of a model/);
    }
    expect(() => createServer({ models: {} })).toThrow(/Invalid models/);
    for (const wrong of [undefined, null, 7, "a.gguf", Promise.resolve()] as never[]) {
      expect(() => createServer(wrong)).toThrow(/This is not a model/);
      expect(() => createServer({ models: { a: wrong } })).toThrow(/This is not a model/);
    }
    expect(() => createServer({ models: { model } }, { modelName: "b" })).toThrow(/Invalid modelName/);
  });

  it("is any if the server has one model", async () => {
    await using model = await loadModel(undefined, { threads: 1 });
    await using server = createServer(model, { modelName: "only" });
    for (const name of ["x", 7, null, { a: 1 }]) {
      const body = JSON.stringify({ ...ask(""), model: name });
      const response = await server.fetch(
        new Request(`http://localhost${completions}`, { method: "POST", body }),
      );
      expect([response.status, await response.json()]).toMatchObject([200, { model: "only" }]);
    }
  });
});

describe("lists", () => {
  it("have all models, described without loading them", async () => {
    const models = { a: watchedModel(), embed: watchedModel(await embedderBytes()) };
    const { post, get } = open(models);
    const { data } = (await get("/v1/models")) as { readonly data: readonly object[] };
    expect(data).toMatchObject([{ id: "a", context_length: 1024 }, { id: "embed" }]);
    const tags = (await get("/api/tags")) as { readonly models: readonly Record<string, unknown>[] };
    expect(tags.models).toMatchObject([
      { name: "a", details: { family: "bitnet-b1.58" } },
      { name: "embed" },
    ]);
    expect(tags.models[0]?.size).toBeGreaterThan(1e6);
    const show = async (model: string): Promise<unknown> => (await post("/api/show", { model })).body;
    expect(await show("a")).toMatchObject({
      capabilities: ["completion"],
      model_info: { "general.architecture": "bitnet-b1.58", "bitnet-b1.58.context_length": 1024 },
    });
    expect(await show("embed")).toMatchObject({ capabilities: ["embedding"] });
    expect([models.a.loads(), models.embed.loads()]).toEqual([0, 0]);

    await post(completions, ask("a"));
    const after = (await get("/api/tags")) as typeof tags;
    expect(after.models.map(({ digest, size }) => [digest, size])).toEqual(
      tags.models.map(({ digest, size }) => [digest, size]),
    );
  });

  it("of loaded models say when each is let go", async () => {
    const { post, get } = open(two(), { keepAliveMs: 60_000 });
    await post(completions, ask("a"));
    await post("/api/generate", { model: "b", keep_alive: -1 });
    const { models } = (await get("/api/ps")) as {
      readonly models: readonly {
        readonly name: string;
        readonly expires_at: string;
        readonly size: number;
      }[];
    };
    const [a, b] = models;
    const leftMs = Date.parse(a?.expires_at ?? "") - Date.now();
    expect([a?.name, leftMs > 50_000, leftMs <= 60_000]).toEqual(["a", true, true]);
    expect(b).toMatchObject({ name: "b", expires_at: "9999-12-31T23:59:59Z" });
    expect(a?.size).toBeGreaterThan(1e6);
  });
});

describe("keep_alive", () => {
  it("lets a model go at its time, which each request sets again", async () => {
    const models = two();
    const { post, loaded } = open(models);
    const generate = { model: "a", prompt: "A", options: { num_predict: 1 }, stream: false };
    await post("/api/generate", { ...generate, keep_alive: "10ms" });
    await until(async () => (await loaded()).length === 0);
    expect(models.a.living()).toBe(0);
    await post("/api/generate", { ...generate, keep_alive: "50ms" });
    await post("/api/generate", generate);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await loaded()).toEqual(["a"]);
    expect(models.a.loads()).toBe(2);
    await post("/api/embed", { model: "a", input: "A", keep_alive: 0 });
    await until(async () => (await loaded()).length === 0);
  });

  it("of 0 without a prompt lets a model go, and other values load it", async () => {
    const models = two();
    const { post, loaded } = open(models);
    const done = (model: string, reason: string): object => ({
      status: 200,
      body: { model, done: true, done_reason: reason },
    });
    for (const path of ["/api/generate", "/api/chat"]) {
      expect(await post(path, { model: "a", keep_alive: 0 })).toMatchObject(done("a", "unload"));
      expect(await post(path, { model: "a", keep_alive: "5m" })).toMatchObject(done("a", "load"));
      expect(await loaded()).toEqual(["a"]);
      expect(await post(path, { model: "a", keep_alive: "0" })).toMatchObject(done("a", "unload"));
      expect(await loaded()).toEqual([]);
    }
    expect(models.a.loads()).toBe(2);
  });

  it.each(["x", "5", "5m", "1h30m", 1.5, "-1", -1, "-5m"])(
    "is read from %j as from Ollama's clients",
    async (value) => {
      const { post } = open(two());
      const { status } = await post("/api/generate", { model: "a", keep_alive: value });
      expect(status).toBe(value === "x" ? 400 : 200);
    },
  );
});

describe("loading", () => {
  it("happens once for requests of the same moment, and goes on if one leaves", async () => {
    const models = two();
    const { opened: ready, open: finish } = gate();
    models.a.before = () => ready;
    const { post } = open(models);
    const leaving = new AbortController();
    const left = post(completions, ask("a"), leaving.signal);
    const others = [post(completions, ask("a")), post("/api/generate", { model: "a" })];
    await until(() => models.a.loads() === 1);
    leaving.abort();
    expect((await left).status).toBe(499);
    finish();
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([200, 200]);
    expect(models.a.loads()).toBe(1);
  });

  it("does not stop requests of loaded models", async () => {
    const models = two();
    const { post } = open(models);
    await post(completions, ask("a"));
    const { opened: ready, open: finish } = gate();
    models.b.before = () => ready;
    const slow = post(completions, ask("b"));
    await until(() => models.b.loads() === 1);
    expect((await post(completions, ask("a"))).status).toBe(200);
    finish();
    expect((await slow).status).toBe(200);
  });

  it("that fails gives each request the error, without paths, and the next tries again", async () => {
    const models = two();
    const errors: unknown[] = [];
    models.a.before = () => {
      throw new Error("/secret/path is broken");
    };
    const { post, loaded } = open(models, { onError: (error) => errors.push(error) });
    const answers = await Promise.all([post(completions, ask("a")), post(completions, ask("a"))]);
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 503, body: { error: { code: "model_load_failed" } } });
      expect(JSON.stringify(answer)).not.toContain("secret");
    }
    expect(errors).toMatchObject([{ message: "/secret/path is broken" }]);
    models.a.before = () => undefined;
    expect((await post(completions, ask("a"))).status).toBe(200);
    expect([models.a.loads(), await loaded()]).toEqual([2, ["a"]]);
  });

  it("that takes longer than a request's timeout is 504, and serves later requests", async () => {
    const models = two();
    const { opened: ready, open: finish } = gate();
    models.a.before = () => ready;
    const { post, loaded } = open(models, { timeoutMs: 20 });
    expect(await post(completions, ask("a"))).toMatchObject({ status: 504 });
    finish();
    await until(async () => (await loaded()).length === 1);
    expect(models.a.loads()).toBe(1);
  });

  it("ends with the server, and every model is freed", async () => {
    const models = two();
    const { server, post } = open(models);
    await post(completions, ask("a"));
    const { opened: ready, open: finish } = gate();
    models.b.before = () => ready;
    const waiting = post(completions, ask("b"));
    await until(() => models.b.loads() === 1);
    const disposed = server.dispose();
    finish();
    await disposed;
    expect(await waiting).toMatchObject({ status: 503, body: { error: { code: "shutting_down" } } });
    expect([models.a.living(), models.b.living()]).toEqual([0, 0]);
    expect(await post(completions, ask("a"))).toMatchObject({ status: 503 });
  });
});

describe("memory", () => {
  /** Only so many models fit. */
  function limited(models: Readonly<Record<string, WatchedModel>>, count: number): void {
    for (const model of Object.values(models)) {
      model.before = () => {
        const living = Object.values(models).reduce((sum, each) => sum + each.living(), 0);
        if (living >= count) throw outOfMemory();
      };
    }
  }

  it("makes the model go that was used least recently", async () => {
    const models = { ...two(), c: watchedModel() };
    limited(models, 2);
    const { post, loaded } = open(models);
    for (const name of ["a", "b", "a", "c"]) expect((await post(completions, ask(name))).status).toBe(200);
    expect(await loaded()).toEqual(["a", "c"]);
    expect(models.b.living()).toBe(0);
  });

  it("waits for the requests of a busy model, whose later requests wait in turn", async () => {
    const models = two();
    limited(models, 1);
    const { server, post, loaded } = open(models);
    const busy = await server.fetch(
      new Request(`http://localhost${completions}`, {
        method: "POST",
        body: JSON.stringify(ask("a", { max_tokens: 200, stream: true, logit_bias: { "2": -100 } })),
      }),
    );
    const order: string[] = [];
    const note = async (name: string): Promise<number> => {
      const { status } = await post(completions, ask(name));
      order.push(name);
      return status;
    };
    const second = note("b");
    await until(() => models.b.loads() === 1);
    const third = note("a");
    expect(await loaded()).toEqual(["a"]);
    expect(await busy.text()).toMatch(/\[DONE\]/);
    expect(await Promise.all([second, third])).toEqual([200, 200]);
    expect(order).toEqual(["b", "a"]);
    expect([models.a.loads() >= 2, models.b.living()]).toEqual([true, 0]);
  });

  it("that can never hold a model is 503 with a code and the sizes", async () => {
    const models = two();
    limited({ b: models.b }, 0);
    const { post, loaded } = open(models);
    await post(completions, ask("a"));
    const { status, body } = await post(completions, ask("b"));
    expect([status, body]).toMatchObject([503, { error: { code: "out_of_memory" } }]);
    expect(JSON.stringify(body)).toMatch(/needs 3 MiB and 1 MiB are free/);
    expect(JSON.stringify(body)).not.toContain("secret");
    // Its memory was needed for the attempt.
    expect(await loaded()).toEqual([]);
  });

  it("is bounded by maxLoaded", async () => {
    const models = two();
    const { post, loaded } = open(models, { maxLoaded: 1 });
    for (const name of ["a", "b", "b", "a"]) {
      expect((await post(completions, ask(name))).status).toBe(200);
      expect(await loaded()).toEqual([name]);
    }
    const names = ["a", "b", "a", "b", "a", "b"];
    const answers = await Promise.all(names.map((name) => post(completions, ask(name))));
    expect(answers.map(({ status, body }) => [status, (body as { model: string }).model])).toEqual(
      names.map((name) => [200, name]),
    );
    await until(() => models.a.living() + models.b.living() === 1);
  });

  it("of a model that the caller loaded is not let go", async () => {
    await using kept = await loadModel(undefined, { threads: 1 });
    const { post, get, loaded } = open({ kept, a: watchedModel() }, { maxLoaded: 1 });
    await post(completions, ask("a"));
    await post("/api/generate", { model: "kept", keep_alive: 0 });
    expect(await loaded()).toEqual(["kept", "a"]);
    expect(await get("/api/ps")).toMatchObject({ models: [{ expires_at: "9999-12-31T23:59:59Z" }, {}] });
    await opened?.server.dispose();
    expect(await kept.complete("A", { maxTokens: 1 })).not.toBe("");
  });
});

describe("an embedding model", () => {
  it("embeds beside chat models, and refuses to write", async () => {
    const { post } = open({ a: watchedModel(), embed: watchedModel(await embedderBytes()) });
    expect((await post("/v1/embeddings", { model: "embed", input: "A" })).status).toBe(200);
    const messages = [{ role: "user", content: "Hi" }];
    for (const [path, body] of [
      [completions, ask("embed")],
      ["/v1/chat/completions", { model: "embed", messages }],
      ["/api/generate", { model: "embed", prompt: "A" }],
      ["/api/chat", { model: "embed", messages }],
      ["/v1/messages", { model: "embed", messages, max_tokens: 1 }],
      ["/v1/responses", { model: "embed", input: "A" }],
    ] as const) {
      const { status, body: answer } = await post(path, body);
      expect([path, status, JSON.stringify(answer)]).toEqual([
        path,
        400,
        expect.stringContaining("embedding model") as string,
      ]);
    }
    expect((await post(completions, ask("a"))).status).toBe(200);
  });
});

it("logs and metrics name the model, and counts outlive it", async () => {
  const records: RequestRecord[] = [];
  const { post, server } = open(two(), { onRequest: (record) => records.push(record), keepAliveMs: 0 });
  await post(completions, ask("a"));
  await post(completions, ask("b", { max_tokens: 3 }));
  await post(completions, ask("x"));
  expect(records.map(({ model, status }) => [model, status])).toEqual([
    ["a", 200],
    ["b", 200],
    [undefined, 404],
  ]);
  const metrics = async (): Promise<string> =>
    (await server.fetch(new Request("http://localhost/metrics"))).text();
  await until(async () => (await metrics()).includes('bitnet_model_loaded{model="b"} 0'));
  const text = await metrics();
  expect(text).toContain(
    '\nbitnet_generated_tokens_total{model="a"} 2\nbitnet_generated_tokens_total{model="b"} 3\n',
  );
  expect(text).toMatch(
    /bitnet_request_duration_seconds_count\{route="\/v1\/completions",status="200",model="a"\} 1/,
  );
  expect(text).toMatch(/bitnet_first_token_seconds_count\{model="b"\} 1/);
  expect(server.stats.generatedTokens).toBe(5);
});
