import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createServer, type LanguageModel, type RequestRecord } from "#dist/index.js";
import { createLoadingServer } from "#dist/server/loading.js";
import { openServer, type OpenServer, until } from "./open-server.js";
import { endless, loadPatientModel } from "./patient-model.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadPatientModel();
});
afterAll(() => model.dispose());

async function withServer(
  options: Parameters<typeof openServer>[1],
  use: (server: OpenServer) => Promise<void>,
): Promise<void> {
  const server = await openServer(model, options);
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

const secret = "The fox of Timbuktu";
const short = { prompt: secret, max_tokens: 3, temperature: 0 };

describe("logs", () => {
  it("contain a request and its result, without its content", async () => {
    const records: RequestRecord[] = [];
    await withServer({ onRequest: (record) => records.push(record) }, async ({ post, url }) => {
      await (await post("/v1/completions", short)).text();
      await (await post("/v1/completions", { ...short, stream: true })).text();
      await (await post("/v1/completions", { ...short, max_tokens: -1 })).text();
      await (await post("/v1/embeddings", { input: secret })).text();
      await fetch(`${url}/health`);
      await fetch(`${url}/metrics`);
      await until(() => records.length === 4);
    });
    const promptTokens = model.tokenize(secret).length;
    const written = { status: 200, outcome: "written", promptTokens, generatedTokens: 3 };
    expect(records).toMatchObject([
      { method: "POST", path: "/v1/completions", ...written },
      written,
      { status: 400 },
      { path: "/v1/embeddings", status: 200, promptTokens },
    ]);
    expect(JSON.stringify(records)).not.toContain("Timbuktu");
    for (const { durationMs, firstTokenMs = 0, time } of records) {
      expect(durationMs).toBeGreaterThanOrEqual(firstTokenMs);
      expect(Date.now() - Date.parse(time)).toBeLessThan(60_000);
    }
  });

  it("contain the content of requests on demand", async () => {
    const records: RequestRecord[] = [];
    const onRequest = (record: RequestRecord): unknown => records.push(record);
    await withServer({ onRequest, logPrompts: true }, async ({ post }) => {
      const response = await post("/v1/completions", short);
      const { choices } = (await response.json()) as {
        readonly choices: readonly { readonly text: string }[];
      };
      expect(records).toMatchObject([
        { prompts: [expect.stringContaining(secret) as string], texts: [choices[0]?.text] },
      ]);
    });
  });

  it("distinguish a client that left from an answered client", async () => {
    const records: RequestRecord[] = [];
    await withServer({ onRequest: (record) => records.push(record) }, async ({ url, server }) => {
      const leaving = new AbortController();
      const left = fetch(`${url}/v1/completions`, {
        method: "POST",
        body: JSON.stringify({ prompt: "A", logit_bias: endless(model) }),
        signal: leaving.signal,
      });
      left.catch(() => undefined);
      await until(() => server.stats.active === 1);
      leaving.abort();
      await until(() => records.length === 1);
      expect(records).toMatchObject([{ status: 499, outcome: "left" }]);
    });
  });
});

describe("/metrics", () => {
  it("has metrics of queue, tokens, cache and times, in Prometheus' format", async () => {
    await withServer({}, async ({ post, url }) => {
      await (await post("/v1/completions", { ...short, stream: true })).text();
      await (await post("/v1/completions", { ...short, stream: true })).text();
      await post("/v1/made-up-by-a-client", {});
      const response = await fetch(`${url}/metrics`);
      expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
      const text = await response.text();
      for (const line of text.trimEnd().split("\n")) {
        expect(line).toMatch(
          /^(?:# HELP bitnet_\w+ \S.*|# TYPE bitnet_\w+ (?:gauge|counter|histogram)|bitnet_\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? \d+(?:\.\d+)?(?:e-?\d+)?)$/,
        );
      }
      const value = (name: string): number => Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]);
      expect(value("bitnet_requests_queued")).toBe(0);
      expect(value("bitnet_requests_active")).toBe(0);
      expect(value("bitnet_requests_total")).toBe(2);
      expect(value("bitnet_generated_tokens_total")).toBe(6);
      expect(value("bitnet_prompt_tokens_total")).toBe(2 * model.tokenize(secret).length);
      expect(value("bitnet_cache_hits_total")).toBe(1);
      expect(value("bitnet_first_token_seconds_count")).toBe(2);
      expect(value("bitnet_token_seconds_count")).toBe(2);
      const duration = 'bitnet_request_duration_seconds_count{route="/v1/completions",status="200"}';
      expect(text).toContain(`${duration} 2\n`);
      expect(text).toContain('bitnet_request_duration_seconds_count{route="other",status="404"} 1\n');
      expect(text).not.toContain("made-up");
      // Buckets are cumulative: the last one counts all.
      expect(text).toContain('bitnet_first_token_seconds_bucket{le="+Inf"} 2\n');
    });
  });
});

describe("a request that takes too long", () => {
  const endlessly = (): object => ({ prompt: "A", logit_bias: endless(model) });

  it("is answered with 504, and its slot is free", async () => {
    await withServer({ timeoutMs: 100 }, async ({ post, server }) => {
      const response = await post("/v1/completions", endlessly());
      expect(response.status).toBe(504);
      expect(await response.json()).toMatchObject({ error: { code: "timeout" } });
      expect(server.stats.active).toBe(0);
    });
  });

  it("reports it at the end of its stream", async () => {
    await withServer({ timeoutMs: 100 }, async ({ post }) => {
      const response = await post("/v1/completions", { ...endlessly(), stream: true });
      expect(response.status).toBe(200);
      const text = await response.text();
      expect(text).toContain('"code":"timeout"');
      expect(text).not.toContain("[DONE]");
    });
  });

  it("is dropped if its client does not read it, even after its text is complete", async () => {
    await withServer({ timeoutMs: 300 }, async ({ server }) => {
      const request = new Request("http://localhost/v1/completions", {
        method: "POST",
        body: JSON.stringify({ prompt: "A", max_tokens: 50, stream: true }),
      });
      const response = await server.fetch(request);
      const reader = response.body?.getReader();
      await reader?.read();
      // Usually all is written by now. On a busy machine the timeout came first.
      await until(() => server.stats.active === 0);
      await expect(reader?.closed).rejects.toMatchObject({ code: "ABORTED" });
    });
  });
});

describe("defaults and limits", () => {
  it("a page of another origin gets nothing, and no answer names origins", async () => {
    await withServer({}, async ({ url }) => {
      const own = await fetch(`${url}/v1/models`);
      expect(own.headers.get("access-control-allow-origin")).toBeNull();
      const asked = await fetch(`${url}/v1/models`, {
        method: "OPTIONS",
        headers: { Origin: "https://a.example" },
      });
      expect(asked.status).toBe(403);
      expect(asked.headers.get("access-control-allow-origin")).toBeNull();
    });
  });

  it("a prompt that cannot fit is refused before it is tokenized", async () => {
    await withServer({}, async ({ post }) => {
      const prompt = "The quick brown fox. ".repeat(150_000);
      const bodies = {
        "/v1/completions": { prompt },
        "/v1/chat/completions": { messages: [{ role: "user", content: prompt }] },
        "/v1/embeddings": { input: [prompt] },
        "/api/generate": { prompt },
        "/api/chat": { messages: [{ role: "user", content: prompt }] },
        "/api/embed": { input: prompt, truncate: false },
      };
      for (const [path, body] of Object.entries(bodies)) {
        const response = await post(path, body);
        expect([path, response.status]).toEqual([path, 400]);
        expect(await response.text()).toContain("characters");
      }
    });
  });

  it("reports that it is loading until it serves", async () => {
    const loadingServer = createLoadingServer({ hosts: new Set() });
    const health = await loadingServer.fetch(new Request("http://localhost/health"));
    expect([health.status, await health.json()]).toEqual([503, { status: "loading" }]);
    const early = await loadingServer.fetch(new Request("http://localhost/v1/models"));
    expect([early.status, early.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await early.json()).toMatchObject({ error: { code: "loading" } });
    await withServer({}, async ({ url }) => {
      expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: "ok" });
    });
  });

  it("a key of any length and content is compared, and only the right one passes", async () => {
    const apiKey = "k".repeat(40);
    await withServer({ apiKey }, async ({ url }) => {
      const ask = async (authorization: string): Promise<number> =>
        (await fetch(`${url}/v1/models`, { headers: { authorization } })).status;
      for (const wrong of ["", "k", "k".repeat(39), "k".repeat(41), `${"k".repeat(39)}j`, "k".repeat(4000)])
        expect(await ask(`Bearer ${wrong}`)).toBe(401);
      expect(await ask(`Basic ${apiKey}`)).toBe(401);
      expect(await ask(`bearer ${apiKey}`)).toBe(200);
    });
  });

  it.each([{ timeoutMs: 0 }, { timeoutMs: 2 ** 31 }, { maxBodyBytes: 0 }, { apiKey: "" }, { parallel: 0 }])(
    "createServer refuses %j",
    (options) => {
      expect(() => createServer(model, options)).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error,
      );
    },
  );
});

describe("probes", () => {
  const paths = ["/health", "/health/ready", "/health/live"];
  const probe = (fetchIt: (request: Request) => Response | Promise<Response>): Promise<readonly unknown[]> =>
    Promise.all(
      paths.map(async (path) => {
        const response = await fetchIt(new Request(`http://localhost${path}`));
        return [response.status, await response.json()];
      }),
    );
  const answers = (status: string, ...codes: number[]): unknown => codes.map((code) => [code, { status }]);

  it("find a loading server alive but not ready", async () => {
    const { fetch: ask } = createLoadingServer({ hosts: new Set() });
    expect(await probe(ask)).toEqual(answers("loading", 503, 503, 200));
  });

  it("find a draining server alive but not ready, while it serves and closes connections", async () => {
    await withServer({ apiKey: "secret" }, async ({ url, server }) => {
      const models = (): Promise<Response> =>
        fetch(`${url}/v1/models`, { headers: { Authorization: "Bearer secret" } });
      expect(await probe(server.fetch)).toEqual(answers("ok", 200, 200, 200));
      expect((await models()).headers.get("connection")).toBe("keep-alive");
      server.drain();
      expect(await probe(server.fetch)).toEqual(answers("draining", 503, 503, 200));
      const response = await models();
      expect([response.status, response.headers.get("connection")]).toEqual([200, "close"]);
    });
  });
});

describe("closing", () => {
  it("accepts no new connections, and finishes streams", async () => {
    const { listen } = await import("#dist/server/listen.js");
    const server = createServer(model);
    const { url, close } = await listen(server, { host: "127.0.0.1", port: 0 });
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ prompt: "A", max_tokens: 100, logit_bias: endless(model), stream: true }),
    });
    const closed = close(30_000);
    await expect(
      new Promise((resolve, reject) => {
        connect(Number(new URL(url).port), "127.0.0.1")
          .once("connect", resolve)
          .once("error", reject);
      }),
    ).rejects.toMatchObject({ code: "ECONNREFUSED" });
    const text = await response.text();
    expect(text.match(/"text":/g)?.length).toBeGreaterThan(50);
    expect(text).toMatch(/\[DONE\]\n\n$/);
    await closed;
  });

  it("ends streams that take longer than it waits, with a reason", async () => {
    const { listen } = await import("#dist/server/listen.js");
    const server = createServer(model);
    const { url, close } = await listen(server, { host: "127.0.0.1", port: 0 });
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ prompt: "A", logit_bias: endless(model), stream: true }),
    });
    const [text] = await Promise.all([response.text().catch(String), close(50)]);
    expect(text).not.toContain("[DONE]");
  });

  it("does not wait for a connection whose reader has stopped for good", async () => {
    const { listen } = await import("#dist/server/listen.js");
    // More than the connection's buffers hold.
    const { url, close } = await listen(
      { fetch: () => new Response("x".repeat(50_000_000)), dispose: () => Promise.resolve() },
      { host: "127.0.0.1", port: 0, idleMs: 100 },
    );
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await new Promise((resolve) => socket.once("readable", resolve));
    const startedMs = performance.now();
    await close(50_000);
    // It must end before its limit. The speed does not matter.
    expect(performance.now() - startedMs).toBeLessThan(40_000);
    socket.destroy();
  });
});
