import { connect, type Socket } from "node:net";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { openServer, type OpenServer, until } from "./open-server.js";
import { endless, loadPatientModel } from "./patient-model.js";

const maxBodyBytes = 50_000;
let model: LanguageModel;
let server: OpenServer;
let expected: string;
const failures: unknown[] = [];
beforeAll(async () => {
  model = await loadPatientModel();
  expected = await model.complete("The fox", { maxTokens: 2, temperature: 0 });
  server = await openServer(model, {
    parallel: 2,
    queueLimit: 1,
    maxBodyBytes,
    timeoutMs: 20_000,
    onError: (error) => failures.push(error),
  });
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

async function expectGoodAnswer(from = server): Promise<void> {
  const response = await from.post("/v1/completions", { prompt: "The fox", max_tokens: 2, temperature: 0 });
  expect(await response.json()).toMatchObject({ choices: [{ text: expected, finish_reason: "length" }] });
}

afterEach(async () => {
  await expectGoodAnswer();
  expect(server.server.stats).toMatchObject({ active: 0, queued: 0 });
  // A client's mistake must never count as a failure of the server.
  expect(failures).toEqual([]);
});

/** Sends raw bytes. Reads until the answer contains `mark`, or the server closes the connection. */
function raw(text: string, mark = "\0"): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connectRaw();
    socket.on("data", (data) => {
      answer += data.toString();
      if (answer.includes(mark)) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
    socket.write(text);
  });
}

function connectRaw(): Socket {
  return connect(Number(new URL(server.url).port), "127.0.0.1");
}

function head(path: string, headers: Record<string, string | number>): string {
  const lines = Object.entries({ Host: new URL(server.url).host, ...headers });
  return `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

it("a body that is too long is refused, announced or not", async () => {
  const body = JSON.stringify({ prompt: "x".repeat(maxBodyBytes) });
  const announced = await server.post("/v1/completions", body);
  expect(announced.status).toBe(413);
  // The rest of the body is still in transit, so the connection cannot carry another request.
  expect(announced.headers.get("connection")).toBe("close");
  const chunk = `${(1000).toString(16)}\r\n${"x".repeat(1000)}\r\n`;
  const answer = await raw(
    head("/v1/completions", { "Transfer-Encoding": "chunked" }) + chunk.repeat(60),
    "body_too_long",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  // The announced length alone is enough: the server does not wait for the body.
  const lie = await raw(head("/v1/completions", { "Content-Length": 1e12 }), "body_too_long");
  expect(lie).toMatch(/^HTTP\/1\.1 413 /);
});

it.each(["", "{", "nonsense", "[1,2", '{"prompt":', "\u0000", '"\\ud800', "[".repeat(20_000)])(
  "a body that is not JSON is refused (%#)",
  async (body) => {
    const response = await server.post("/v1/completions", body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { type: "invalid_request_error", message: expect.stringContaining("JSON") as string },
    });
  },
);

it.each([
  "\0\0\0\0\r\n\r\n",
  "GET /health HTTP/9.9\r\n\r\n",
  "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
  `GET /${"x".repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  "GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a b c\r\n\r\n",
])("what is not HTTP is refused (%#)", async (text) => {
  expect(await raw(text, "\r\n\r\n")).toMatch(/^HTTP\/1\.1 4\d\d /);
});

it("a client that disconnects in the middle of its body is dropped", async () => {
  for (const path of ["/v1/completions", "/api/chat", "/v1/embeddings"]) {
    const socket = connectRaw();
    socket.on("error", () => undefined);
    await new Promise<void>((resolve) => {
      socket.write(head(path, { "Content-Length": 1000 }) + '{"prompt":', () => resolve());
    });
    socket.destroy();
  }
});

it("a queue full of clients that leave is empty again", async () => {
  const clients = Array.from({ length: 3 }, () => new AbortController());
  const ask = { method: "POST", body: JSON.stringify({ prompt: "A", logit_bias: endless(model) }) };
  const answers = clients.map(({ signal }) => fetch(`${server.url}/v1/completions`, { ...ask, signal }));
  const settled = Promise.allSettled(answers);
  await until(() => server.server.stats.active === 2 && server.server.stats.queued === 1);
  expect((await server.post("/v1/completions", ask.body)).status).toBe(429);
  for (const client of [...clients].reverse()) client.abort();
  await settled;
  await until(() => server.server.stats.active === 0);
});

it("a client that stops reading does not block other clients", async () => {
  const body = JSON.stringify({ prompt: "A", max_tokens: 4000, logit_bias: endless(model), stream: true });
  const socket = connectRaw();
  socket.on("error", () => undefined);
  socket.pause();
  socket.write(head("/v1/completions", { "Content-Length": Buffer.byteLength(body) }) + body);
  await until(() => server.server.stats.active === 1);
  await expectGoodAnswer();
  socket.destroy();
  await until(() => server.server.stats.active === 0);
});

it("a stream is generated at the speed of its reader", async () => {
  const response = await server.server.fetch(
    new Request("http://localhost/v1/completions", {
      method: "POST",
      body: JSON.stringify({ prompt: "A", max_tokens: 60, logit_bias: endless(model), stream: true }),
    }),
  );
  const reader = response.body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  await until(() => server.server.stats.active === 0);
  // The model has written all of it, and still each read returns one event.
  expect(new TextDecoder().decode(value)).toMatch(/^data: .*\n\n$/);
  const { value: next } = (await reader?.read()) ?? {};
  expect(new TextDecoder().decode(next)).toMatch(/^data: .*\n\n$/);
  await reader?.cancel();
});

/** Wrong values for any field. */
const odd = fc.oneof(
  fc.constantFrom(null, true, "", "x", -1, 0, 1.5, 1e308, 2 ** 53, [], {}, [[]], [null], { type: "x" }),
  fc.jsonValue({ maxDepth: 3 }),
);
const chat = { messages: [{ role: "user", content: "Hi" }], max_tokens: 2 };
const text = { prompt: "The fox", max_tokens: 2 };
const ollama = { options: { num_predict: 2 }, stream: false };
const valid: Record<string, Record<string, unknown>> = {
  "/v1/chat/completions": chat,
  "/v1/completions": text,
  "/v1/embeddings": { input: ["A fox."] },
  "/api/chat": { messages: chat.messages, ...ollama },
  "/api/generate": { prompt: "The fox", ...ollama },
  "/api/embed": { input: "A fox." },
  "/tokenize": { content: "A fox." },
  "/detokenize": { tokens: [1, 2] },
};
const fields =
  "messages prompt input content tokens model stream stream_options n max_tokens max_completion_tokens temperature top_p top_k min_p seed stop logit_bias presence_penalty frequency_penalty repeat_penalty logprobs top_logprobs response_format tools tool_choice dimensions encoding_format options format raw system template suffix images keep_alive think add_special parse_special __proto__ constructor".split(
    " ",
  );
const paths = Object.keys(valid);
/** A good request with fields replaced, a text that is almost JSON, or any other JSON. */
const malformed = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(...paths),
      fc.dictionary(fc.constantFrom(...fields), odd, { minKeys: 1, maxKeys: 3 }),
    )
    .map(([path, changes]) => ({ path, body: JSON.stringify({ ...valid[path], ...changes }) })),
  fc.tuple(fc.constantFrom(...paths), fc.nat(), fc.string({ maxLength: 3 })).map(([path, at, added]) => {
    const whole = JSON.stringify(valid[path]);
    const cut = at % whole.length;
    return { path, body: whole.slice(0, cut) + added + whole.slice(cut + 1) };
  }),
  fc.record({ path: fc.constantFrom(...paths), body: odd.map((value) => JSON.stringify(value)) }),
);

it("200 malformed requests: each is refused or answered, and so is the valid request after it", async () => {
  // The small context ends texts of accepted requests soon.
  await using small = await loadModel(undefined, { threads: 1, contextLength: 24 });
  const open = await openServer(small, { onError: (error) => failures.push(error) });
  const statuses = new Map<number, number>();
  try {
    await fc.assert(
      fc.asyncProperty(malformed, async ({ path, body }) => {
        const response = await open.post(path, body);
        const answer = await response.text();
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        expect([200, 400]).toContain(response.status);
        if (response.status === 400) {
          const { error } = JSON.parse(answer) as { readonly error: unknown };
          const message = path.startsWith("/api/") ? error : (error as { readonly message: unknown }).message;
          expect(message).toMatch(/\S/);
        }
        await expectGoodAnswer(open);
      }),
      { numRuns: 200 },
    );
  } finally {
    await open.close();
  }
  // Most of the requests must really be malformed.
  expect(statuses.get(400)).toBeGreaterThan(100);
});
