// `npm run soak [-- --minutes 10]`: one server on the embedded model, with clients of every kind at the same
// time. The answers
// of good clients are compared. Other clients leave, send nonsense, read slowly or do not read. Fails if a
// good request
// fails, if something is left at the end, or if memory grows.
import { connect } from "node:net";
import os from "node:os";
import { parseArgs } from "node:util";
import { events, post, readMetrics, startServed } from "./served.mjs";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    threads: { type: "string", default: "2" },
    json: { type: "boolean", default: false },
  },
});
const durationMs = Number(values.minutes) * 60_000;
const warmUpMs = durationMs / 4;
const isShort = durationMs < 60_000;
/** Readers that stop for good are let go after that. */
const timeoutSeconds = isShort ? 20 : 150;
/**
 * Limit of memory growth, after all kinds of requests ran for a while. A heap that just became warm still
 * grows.
 */
const allowedGrowth = isShort ? 2 : 1.25;

const served = await startServed({
  flags: [
    "--threads",
    values.threads,
    "--parallel",
    "4",
    "--queue",
    "32",
    "--timeout",
    String(timeoutSeconds),
  ],
});
const { url } = served;
const startedMs = performance.now();
const over = () => performance.now() - startedMs > durationMs;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function createChance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
const chance = createChance(Number(values.seed));
const among = (list) => list[Math.floor(chance() * list.length)];

const counts = {
  good: 0,
  busy: 0,
  failed: 0,
  left: 0,
  bad: 0,
  badUnanswered: 0,
  slow: 0,
  stalled: 0,
  cut: 0,
};
const failures = [];
function fail(kind, what) {
  counts[kind] += 1;
  if (failures.length < 10) failures.push(String(what).slice(0, 300));
}

const words = [
  "Once upon a time",
  "The fox",
  "A king had three sons",
  "In the deep wood",
  "'Alas,' said she",
];
const options = { max_tokens: 40, temperature: 0 };
const messages = [{ role: "user", content: "Tell me of the fox." }];
const long = { prompt: "A", max_tokens: 250 };

async function json(response) {
  if (!response.ok)
    throw Object.assign(new Error(`${response.status} ${await response.text()}`), {
      status: response.status,
    });
  return response.json();
}
async function joined(response, textOf) {
  if (!response.ok) await json(response);
  let text = "";
  for await (const event of events(response)) {
    if (event.error) throw new Error(JSON.stringify(event));
    text += textOf(event) ?? "";
  }
  return text;
}
async function lines(response) {
  if (!response.ok) await json(response);
  const all = (await response.text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  if (all.at(-1)?.done !== true) throw new Error("an answer without an end");
  return all.map(({ response: text, message }) => text ?? message.content).join("");
}

const response = { input: messages, max_output_tokens: 40, temperature: 0, store: false };
const message = { model: "any", messages, max_tokens: 40, temperature: 0 };
const shape = {
  type: "object",
  properties: {
    who: { type: "string", maxLength: 20 },
    legs: { enum: [2, 4, 6] },
    id: { type: "string", format: "uuid" },
  },
  required: ["who", "legs", "id"],
  additionalProperties: false,
};
const byShape = {
  messages,
  max_tokens: 120,
  temperature: 0,
  response_format: { type: "json_schema", json_schema: { name: "animal", schema: shape } },
};

/** Good requests; each gives what must be the same every time. */
const good = [
  ...words.flatMap((prompt) => [
    async () => (await json(await post(url, "/v1/completions", { ...options, prompt }))).choices[0].text,
    async () =>
      joined(
        await post(url, "/v1/completions", { ...options, prompt, stream: true }),
        (event) => event.choices[0]?.text,
      ),
    async () =>
      lines(
        await post(url, "/api/generate", { prompt, raw: true, options: { num_predict: 40, temperature: 0 } }),
      ),
  ]),
  async () =>
    (await json(await post(url, "/v1/chat/completions", { ...options, messages }))).choices[0].message
      .content,
  async () =>
    joined(
      await post(url, "/v1/chat/completions", { ...options, messages, stream: true }),
      (event) => event.choices[0]?.delta.content,
    ),
  async () => lines(await post(url, "/api/chat", { messages, options: { num_predict: 40, temperature: 0 } })),
  async () =>
    JSON.stringify(
      (
        await json(
          await post(url, "/v1/completions", { ...options, prompt: "A", n: 3, seed: 5, temperature: 1 }),
        )
      ).choices,
    ),
  async () =>
    JSON.stringify((await json(await post(url, "/v1/embeddings", { input: words }))).data[0].embedding),
  async () => JSON.stringify((await json(await post(url, "/api/embed", { input: words }))).embeddings[0]),
  async () => JSON.stringify((await json(await post(url, "/api/embeddings", { prompt: "fox" }))).embedding),
  async () =>
    JSON.stringify((await json(await post(url, "/v1/responses", response))).output[0].content[0].text),
  async () =>
    joined(await post(url, "/v1/responses", { ...response, stream: true }), ({ type, delta }) =>
      type === "response.output_text.delta" ? delta : undefined,
    ),
  async () => (await json(await post(url, "/v1/messages", message))).content[0].text,
  async () =>
    joined(await post(url, "/v1/messages", { ...message, stream: true }), (event) => event.delta?.text),
  async () =>
    (await json(await post(url, "/v1/messages/count_tokens", { model: "any", messages }))).input_tokens,
  async () => (await json(await post(url, "/v1/chat/completions", byShape))).choices[0].message.content,
  async () => (await json(await post(url, "/apply-template", { messages }))).prompt,
  async () => JSON.stringify(await json(await fetch(`${url}/props`))).length > 0,
  async () => (await json(await post(url, "/api/show", { model: "any" }))).details.format,
  async () => JSON.stringify(await json(await post(url, "/tokenize", { content: words.join(" ") }))),
  async () => (await json(await fetch(`${url}/v1/models`))).data[0].id,
  async () => (await json(await fetch(`${url}/health`))).status,
];
const expected = [];
for (const request of good) expected.push(await request());

async function ask() {
  const index = Math.floor(chance() * good.length);
  try {
    const answer = await good[index]();
    if (answer === expected[index]) counts.good += 1;
    else fail("failed", `request ${index}: ${answer} instead of ${expected[index]}`);
  } catch (error) {
    if (error.status !== 429) fail("failed", `request ${index}: ${error.cause ?? error}`);
    else {
      counts.busy += 1;
      await sleep(1000);
    }
  }
}

/** Leaves after some events, or before the first. */
async function leave() {
  const controller = new AbortController();
  const stream = chance() < 0.7;
  const timer = setTimeout(() => controller.abort(), chance() * 100);
  try {
    const response = await post(url, "/v1/completions", { ...long, stream }, { signal: controller.signal });
    let rest = chance() * 30;
    for await (const _ of events(response)) if ((rest -= 1) < 0) break;
  } catch {
    // The abort is intended.
  }
  clearTimeout(timer);
  controller.abort();
  counts.left += 1;
}

const nonsense = [
  () => ["/v1/completions", "{"],
  () => ["/v1/chat/completions", { messages: "x" }],
  () => ["/v1/completions", { prompt: "A", temperature: -chance() }],
  () => ["/v1/completions", { prompt: [-1] }],
  () => ["/api/chat", { messages: [{ role: "nobody", content: 1 }] }],
  () => ["/v1/embeddings", { input: [] }],
  () => ["/v1/responses", { input: 7 }],
  () => ["/v1/messages", { messages, max_tokens: 0 }],
  () => ["/api/embed", { input: "A", dimensions: 3 }],
  () => [
    "/v1/chat/completions",
    { messages, response_format: { type: "json_object", schema: { $ref: "#/x" } } },
  ],
  () => ["/detokenize", { tokens: [10 ** 9] }],
  () => ["/v1/completions", { prompt: "word ".repeat(100_000) }],
  () => ["/v1/completions", "x".repeat(5 << 20)],
  () => ["/nowhere", String.fromCharCode(...Array.from({ length: 50 }, () => chance() * 60_000))],
];
async function disturb() {
  try {
    const { status } = await post(url, ...among(nonsense)());
    if (status >= 400 && status < 500) counts.bad += 1;
    else fail("badUnanswered", `nonsense was answered with ${status}`);
  } catch (error) {
    // The server may close the connection instead of reading a refused body.
    if (/EPIPE|ECONNRESET|other side closed/.test(String(error.cause))) counts.bad += 1;
    else fail("badUnanswered", error.cause ?? error);
  }
  await sleep(20);
}

/** Reads a stream in little pieces with pauses, or stops reading, or stops writing its request. */
async function dawdle() {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  const body = JSON.stringify({ ...long, stream: true });
  const head = `POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  const kind = chance();
  if (kind < 0.3) {
    socket.write(head + body.slice(0, 10));
    await sleep(chance() * 500);
    counts.cut += 1;
  } else {
    socket.pause();
    socket.write(head + body);
    if (kind < 0.6) {
      await sleep(chance() * 2000);
      counts.stalled += 1;
    } else {
      for (let reads = chance() * 40; reads > 0 && !socket.destroyed; reads -= 1) {
        socket.read(500);
        await sleep(20);
      }
      counts.slow += 1;
    }
  }
  socket.destroy();
}

/** Never reads, until the server has let go of it. */
async function stall() {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  const body = JSON.stringify({ ...long, stream: true });
  socket.pause();
  socket.write(
    `POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  const untilMs = performance.now() + (timeoutSeconds + 5) * 1000;
  while (performance.now() < untilMs && !over()) await sleep(100);
  socket.destroy();
  counts.stalled += 1;
}

/**
 * The longest time in which this process did not run. If it is suspended, connections time out.
 */
let longestStopMs = 0;
let lastMs = performance.now();
setInterval(() => {
  const nowMs = performance.now();
  longestStopMs = Math.max(longestStopMs, nowMs - lastMs);
  lastMs = nowMs;
}, 50).unref();

const memory = [];
async function watch() {
  while (!over()) {
    const bytes = served.memoryBytes();
    if (bytes !== undefined) memory.push({ ms: Math.round(performance.now() - startedMs), bytes });
    await sleep(Math.min(1000, durationMs / 50));
  }
}
async function keep(work) {
  while (!over()) await work();
}
await Promise.all([
  ...[ask, ask, ask, leave, leave, disturb, dawdle, dawdle, dawdle, stall, stall].map(keep),
  watch(),
]);

// The remaining work ends within its time limit. Then nothing is left.
const deadline = performance.now() + (timeoutSeconds + 5) * 1000;
let metrics = await readMetrics(url);
while (metrics.requests_active + metrics.requests_queued > 0 && performance.now() < deadline) {
  await sleep(100);
  metrics = await readMetrics(url);
}
for (const [index, request] of good.entries()) {
  if ((await request()) === expected[index]) counts.good += 1;
  else fail("failed", `request ${index}, at the end`);
}
const complaints = served.complaints();
const status = await served.stop();

const most = (list) => Math.max(0, ...list.map(({ bytes }) => bytes));
const early = memory.filter(({ ms }) => ms >= warmUpMs / 2 && ms < warmUpMs * 2);
const late = memory.filter(({ ms }) => ms >= warmUpMs * 3);
const growth = most(early) === 0 ? undefined : most(late) / most(early);
const problems = [
  counts.failed > 0 && `${counts.failed} good requests failed`,
  counts.badUnanswered > 0 && `${counts.badUnanswered} bad requests were not refused`,
  metrics.requests_active + metrics.requests_queued > 0 && "requests are left over",
  growth > allowedGrowth && `memory grew ${growth.toFixed(2)} times`,
  status !== 0 && `the server ended with ${status}`,
].filter(Boolean);
const report = {
  seconds: Math.round((performance.now() - startedMs) / 1000),
  requests: counts,
  generatedTokens: metrics.generated_tokens_total,
  memoryBytes: { early: most(early), late: most(late), most: most(memory), growth },
  load: os.loadavg(),
  longestStopMs: Math.round(longestStopMs),
  node: process.version,
  failures,
  complaints,
  problems,
};
console.log(JSON.stringify(report, undefined, values.json ? undefined : 1));
process.exitCode = problems.length === 0 ? 0 : 1;
