import { connect } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createServer, type LanguageModel, loadModel } from "#dist/index.js";
import { createLoadingServer } from "#dist/server/loading.js";
import { listen } from "#dist/server/listen.js";
import { findChromium, startChromium } from "../support/chromium.js";
import { openServer, type OpenServer } from "./open-server.js";

let model: LanguageModel;
let server: OpenServer;
beforeAll(async () => {
  model = await loadModel(undefined, { threads: 1 });
  server = await openServer(model);
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

/** Sends bytes as they are. fetch would correct them. @returns the status and the body. */
function send(url: string, head: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    let text = "";
    socket.on("data", (data) => (text += data.toString()));
    socket.on("error", reject);
    socket.on("close", () => resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), text }));
    socket.end(`${head}\r\nConnection: close\r\n\r\n`);
  });
}
const status = async (head: string): Promise<number> => (await send(server.url, head)).status;

describe("a request's host", () => {
  it.each([
    "127.0.0.1",
    "127.0.0.1:8080",
    "10.0.0.7:80",
    "[::1]",
    "[::1]:8080",
    "[2001:db8::7]:1",
    "localhost",
    "LocalHost:8080",
    "localhost.",
    "llm.localhost:3000",
  ])("%s is answered", async (host) => {
    expect(await status(`GET /v1/models HTTP/1.1\r\nHost: ${host}`)).toBe(200);
  });

  it.each([
    "evil.example",
    "evil.example:8080",
    "EVIL.example.",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "notlocalhost",
    "1.2.3.4.example",
    "box",
    "xn--bcher-kva.example",
  ])("%s is refused on every route", async (host) => {
    for (const path of ["/", "/health", "/metrics", "/v1/models", "/api/tags", "/favicon.ico", "/none"]) {
      const { status: code, text } = await send(server.url, `GET ${path} HTTP/1.1\r\nHost: ${host}`);
      expect([path, code]).toEqual([path, 403]);
      expect(text).toMatch(/--allow-host/);
    }
    const own = `POST /v1/completions HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}\r\nContent-Length: 0`;
    expect(await status(own)).toBe(403);
    expect(await status(`OPTIONS /v1/models HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}`)).toBe(403);
  });

  it.each([
    "..",
    "a..b",
    ".localhost",
    "[::1",
    "::1",
    "[1.2.3.4]",
    "localhost:80:80",
    "localhost:http",
    "localhost:99999",
    "evil@localhost",
    "localhost/evil",
    "localhost, evil.example",
    "localhost evil",
    "256.0.0.1",
    "bücher.example",
    "",
  ])("%j is malformed", async (host) => {
    expect(await status(`GET /v1/models HTTP/1.1\r\nHost: ${host}`)).toBe(400);
  });

  it("is given once", async () => {
    for (const second of ["127.0.0.1", "evil.example"]) {
      const { status: code, text } = await send(
        server.url,
        `GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nhOST: ${second}`,
      );
      expect([code, text.includes("there are several")]).toEqual([400, true]);
    }
    expect(await status("GET /health HTTP/1.1")).toBe(400);
    expect(await status("GET /health HTTP/1.0")).toBe(400);
  });

  it("may not differ in the request's target", async () => {
    const ask = (target: string): Promise<number> => status(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1`);
    expect(await ask("http://127.0.0.1/health")).toBe(200);
    expect(await ask("http://evil.example/health")).toBe(403);
    expect(await ask("https://evil.example/v1/models")).toBe(403);
    expect(await ask("HTTP://evil.example/health")).toBe(400);
    expect(await ask("//evil.example/health")).toBe(404);
    expect(await status("GET http://127.0.0.1/health HTTP/1.1\r\nHost: evil.example")).toBe(403);
  });

  it("is checked by fetch and while the model loads", async () => {
    const own = createServer(model, { allowHosts: "Box.Example" });
    const loading = createLoadingServer({ hosts: new Set(["box.example"]) });
    const health = async ({ fetch }: Pick<typeof own, "fetch">, host: string): Promise<number> =>
      (await fetch(new Request(`http://${host}/health`))).status;
    for (const [host, statuses] of [
      ["box.example", [200, 503]],
      ["box.example:8080", [200, 503]],
      ["127.0.0.1", [200, 503]],
      ["evil.example", [403, 403]],
      ["sub.box.example", [403, 403]],
    ] as const) {
      expect([host, await health(own, host), await health(loading, host)]).toEqual([host, ...statuses]);
    }
    await own.dispose();
  });

  it("may be any with allowHosts * or with a key", async () => {
    for (const options of [{ allowHosts: "*" }, { apiKey: "secret" }]) {
      const open = createServer(model, options);
      expect((await open.fetch(new Request("http://any.example/health"))).status).toBe(200);
      await open.dispose();
    }
  });
});

describe("options about access", () => {
  it.each([
    { allowHosts: "http://box.example" },
    { allowHosts: ["box.example:8080"] },
    { allowHosts: "box.example/" },
    { allowHosts: "*.example" },
    { allowHosts: "" },
    { cors: "app.example" },
    { cors: "localhost:3000" },
    { cors: "https://" },
    { cors: "https://app.example/chat" },
    { cors: "https://app.example?x" },
    { cors: "https://*.example" },
    { cors: "https://*" },
    { cors: "https://user@app.example" },
    { cors: "chrome-extension://a*" },
    { cors: "null" },
    { cors: ["https://app.example", ""] },
    { apiKey: "" },
    { apiKey: " \n" },
    { apiKey: "two words" },
    { apiKey: "schlüssel" },
  ])("that no request can match are refused: %j", (options) => {
    const [name = ""] = Object.keys(options);
    expect(() => createServer(model, options)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(`Invalid ${name}`) as string,
      }) as Error,
    );
  });

  it("a key's white space does not count", async () => {
    const own = createServer(model, { apiKey: " secret\r\n" });
    const headers = { Authorization: "Bearer secret" };
    expect((await own.fetch(new Request("http://localhost/v1/models", { headers }))).status).toBe(200);
    await own.dispose();
  });

  it.each([
    ["https://App.Example/", "https://app.example"],
    ["HTTPS://app.example:443", "https://app.example"],
    [" http://localhost:3000//\n", "http://localhost:3000"],
    ["https://bücher.example", "https://xn--bcher-kva.example"],
    ["chrome-extension://ABCdef", "chrome-extension://abcdef"],
    ["chrome-extension://*", "chrome-extension://abcdef"],
    ["moz-extension://*/", "moz-extension://0b1c-2d"],
    ["*", "https://any.example"],
  ])("the origin %j is %s", async (cors, origin) => {
    const own = createServer(model, { cors: ["https://other.example", cors] });
    const ask = (from: string): Response | Promise<Response> =>
      own.fetch(new Request("http://localhost/v1/models", { headers: { Origin: from } }));
    const response = await ask(origin);
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-origin")).toBe(cors === "*" ? "*" : origin);
    if (cors !== "*") {
      for (const other of ["https://evil.example", `${origin}.evil.example`.replace(/^\w+-/, "x-"), "null"]) {
        const refused = await ask(other);
        expect([other, refused.status]).toEqual([other, 403]);
        expect(refused.headers.get("access-control-allow-origin")).toBeNull();
      }
    }
    await own.dispose();
  });
});

describe("headers of answers", () => {
  it("forbid browsers to guess types, on every route and every failure", async () => {
    const requests: [string, RequestInit][] = [
      ["/", {}],
      ["/health", {}],
      ["/metrics", {}],
      ["/v1/models", {}],
      ["/none", {}],
      ["/v1/models", { headers: { Origin: "https://a.example" } }],
      ["/v1/completions", { method: "POST", body: "{" }],
      ["/v1/completions", { method: "POST", body: '{"prompt":"A","max_tokens":1,"stream":true}' }],
      ["/api/generate", { method: "POST", body: '{"prompt":"A","options":{"num_predict":1}}' }],
    ];
    for (const [path, init] of requests) {
      const response = await fetch(server.url + path, init);
      await response.text();
      expect([path, response.headers.get("x-content-type-options")]).toEqual([path, "nosniff"]);
    }
    const loading = await createLoadingServer({ hosts: undefined }).fetch(new Request("http://x/health"));
    expect(loading.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("let the page run its own script and style only", async () => {
    const policy = (await fetch(server.url)).headers.get("content-security-policy") ?? "";
    expect(policy).not.toContain("unsafe");
    expect(policy).toMatch(/default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-/);
  });

  it("OPTIONS without --cors names the option", async () => {
    const response = await fetch(`${server.url}/v1/chat/completions`, { method: "OPTIONS" });
    expect([response.status, await response.text()]).toEqual([404, expect.stringContaining("--cors")]);
  });
});

const executable = findChromium();
describe.skipIf(executable === undefined)("a page whose name is bound to this machine", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium(executable ?? "", ["--host-resolver-rules=MAP *.example 127.0.0.1"]);
  });
  afterAll(() => browser.close());

  /** Runs in the page: what its scripts read of the server under their own origin. */
  const readAll = `Promise.all([
    ["GET", "/v1/models"], ["GET", "/metrics"], ["GET", "/health"], ["GET", "/"], ["GET", "/api/tags"],
    ["POST", "/v1/completions"], ["POST", "/api/generate"], ["POST", "/tokenize"],
  ].map(async ([method, path]) => {
    const response = await fetch(path, { method, body: method === "POST" ? '{"prompt":"A","content":"A"}' : undefined });
    return response.status + " " + (await response.text());
  }))`;

  it("reads nothing, and a page that the operator names reads all", async () => {
    const own = createServer(model, { allowHosts: "friend.example" });
    // The page comes from its own server. Then its name leads to ours: here, both share a port.
    const begin = new Response("<h1>Hello</h1>", { headers: { "Content-Type": "text/html" } });
    const { url, close } = await listen(
      {
        fetch: (request) => (request.url.endsWith("/begin") ? begin.clone() : own.fetch(request)),
        dispose: () => own.dispose(),
      },
      { host: "127.0.0.1", port: 0 },
    );
    const { port } = new URL(url);
    const page = await browser.newPage();
    const visit = async (name: string): Promise<readonly string[]> => {
      await page.goto(`http://${name}:${port}/begin`);
      expect(await page.evaluate<string>("location.host")).toBe(`${name}:${port}`);
      return page.evaluate<string[]>(readAll);
    };
    const before = own.stats.requests;
    const read = await visit("evil.example");
    expect(read).toHaveLength(8);
    for (const answer of read) {
      expect(answer).toMatch(/^403 .*host_not_allowed|^403 .*--allow-host/);
      expect(answer).not.toContain(model.info.name);
    }
    expect(own.stats.requests).toBe(before);
    const friend = await visit("friend.example");
    expect(friend.map((answer) => answer.slice(0, 3))).toEqual(Array(8).fill("200"));
    await page.close();
    await close(0);
  });
});
