// `npm run bench:stalls`: the longest wait of `/health` while the server handles one large request, and the
// server's memory. Each request gets a fresh server on the embedded model. Bodies are the worst ones known.
import { Agent, request } from "node:http";
import { parseArgs } from "node:util";
import { startServed } from "./served.mjs";

const { values } = parseArgs({
  options: { only: { type: "string" }, times: { type: "string", default: "1" } },
});
// Each server adds listeners to this process.
process.setMaxListeners(0);
const million = 2 ** 20;
const repeat = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const schema = (fields) => ({
  messages: [{ role: "user", content: "A" }],
  max_tokens: 1,
  response_format: { type: "json_schema", json_schema: { schema: fields } },
});
const pattern = (text) => schema({ type: "string", pattern: text });
const fields = (count, make) =>
  schema({ type: "object", properties: Object.fromEntries(repeat(count, (at) => [`field${at}`, make(at)])) });
const short = { prompt: "A", max_tokens: 1 };

/** Name, path, body, how many are sent at once, and flags of the server. */
const cases = [
  ["a short prompt, for comparison", "/v1/completions", { ...short, max_tokens: 100 }],
  [
    "embeddings, 2000 texts, all too long",
    "/v1/embeddings",
    { input: repeat(2000, () => "tale ".repeat(360)) },
    1,
    ["--ctx", "256"],
  ],
  ["embeddings, 200 short texts", "/v1/embeddings", { input: repeat(200, (at) => `Tale ${at}`) }],
  ["tokenize, 4 MB of words", "/tokenize", { content: "fox and king ".repeat(320_000) }],
  ["tokenize, 4 MB of one letter", "/tokenize", { content: "a".repeat(4 * million - 100) }],
  [
    "tokenize, 4 MB of special tokens",
    "/tokenize",
    { content: "<|begin_of_text|>".repeat(240_000), parse_special: true },
  ],
  ["tokenize, 1 MB, 8 at once", "/tokenize", { content: "fox and king ".repeat(80_000) }, 8],
  [
    "pattern of 50 000 alternatives",
    "/v1/chat/completions",
    pattern(repeat(50_000, (at) => `x${at}`).join("|")),
  ],
  ["pattern of 200 kB", "/v1/chat/completions", pattern("a".repeat(200_000))],
  ["pattern of 4 kB", "/v1/chat/completions", pattern("a".repeat(4096))],
  ["detokenize, 1 M ids of -1", "/detokenize", { tokens: repeat(million, () => -1) }],
  ["detokenize, 1 M ids of -1, 4 at once", "/detokenize", { tokens: repeat(million, () => -1) }, 4],
  ["detokenize, 200 000 ids", "/detokenize", { tokens: repeat(200_000, (at) => at % 4000) }],
  ["prompt of 900 000 strings", "/v1/completions", { ...short, prompt: repeat(900_000, () => "a") }],
  ["prompt of 2 M ids", "/v1/completions", { ...short, prompt: repeat(2 * million - 50, () => 1) }],
  ["prompt of 200 000 ids", "/v1/completions", { ...short, prompt: repeat(200_000, () => 1) }],
  ["100 000 wrong messages", "/v1/chat/completions", { messages: repeat(100_000, () => ({})) }],
  [
    "1000 messages",
    "/v1/chat/completions",
    { max_tokens: 1, messages: repeat(1000, () => ({ role: "user", content: "Hi." })) },
  ],
  ["enum of 100 000", "/v1/chat/completions", schema({ enum: repeat(100_000, (at) => `value ${at}`) })],
  ["enum of 5000", "/v1/chat/completions", schema({ enum: repeat(5000, (at) => `value ${at}`) })],
  [
    "enum of 5000, 32 at once",
    "/v1/chat/completions",
    schema({ enum: repeat(5000, (at) => `value ${at}`) }),
    32,
  ],
  ["required of 100 000", "/v1/chat/completions", schema({ required: repeat(100_000, (at) => `name${at}`) })],
  ["50 fields", "/v1/chat/completions", fields(50, () => ({ type: "string", maxLength: 100 }))],
  [
    "700 fields with a format",
    "/v1/chat/completions",
    fields(700, () => ({ type: "string", format: "date-time" })),
  ],
  [
    "logit_bias of 200 000",
    "/v1/completions",
    { ...short, logit_bias: Object.fromEntries(repeat(200_000, (at) => [at, 1])) },
  ],
];

/**
 * `/health` has a connection of its own. On a new one it waited behind those of 32 requests: Node.js accepts
 * one in each turn of the event loop. That took 90 ms, though no turn took more than 16 ms.
 */
const probes = new Agent({ keepAlive: true, maxSockets: 1 });

function ask(url, { path, body }) {
  return new Promise((resolve, reject) => {
    const options =
      body === undefined
        ? { agent: probes }
        : { method: "POST", headers: { "Content-Type": "application/json" } };
    const sent = request(url + path, options, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

async function measure([, path, body, count = 1, flags = []]) {
  const text = JSON.stringify(body);
  const served = await startServed({ flags: ["--threads", "1", "--no-log", "--timeout", "60", ...flags] });
  const { url } = served;
  for (let at = 0; at < 20; at += 1) await ask(url, { path: "/health" });
  await ask(url, { path: "/v1/completions", body: JSON.stringify(short) });
  const before = served.memoryBytes();
  let [memory, worst, done] = [before, 0, false];
  const sent = Promise.all(repeat(count, () => ask(url, { path, body: text }))).finally(() => (done = true));
  // One more after the last answer.
  for (let last = false; !last;) {
    last = done;
    await new Promise((resolve) => setTimeout(resolve, 2));
    const began = performance.now();
    await ask(url, { path: "/health" });
    worst = Math.max(worst, performance.now() - began);
    memory = Math.max(memory, served.memoryBytes());
  }
  const statuses = [...new Set(await sent)].join("/");
  await served.stop();
  return { statuses, worst, bytes: text.length * count, memory: memory - before };
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
console.log("| request | body, MB | answer | worst /health, ms | memory, MB | × body |");
console.log("| --- | --- | --- | --- | --- | --- |");
for (const each of cases) {
  if (values.only !== undefined && !each[0].includes(values.only)) continue;
  const runs = [];
  for (let run = 0; run < Number(values.times); run += 1) runs.push(await measure(each));
  const [best] = runs.toSorted((a, b) => a.worst - b.worst);
  const cells = [
    each[0],
    megabytes(best.bytes),
    best.statuses,
    best.worst.toFixed(0),
    megabytes(best.memory),
    (best.memory / best.bytes).toFixed(1),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
