// `npm run bench:serve`: the throughput of a server for 1, 4 and 8 clients over HTTP, and its limits. A round
// measures all
// numbers of clients one after another, so that other load on the machine affects all.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { makeModels } from "../compare/models.mjs";
import { events, post, readMetrics, startServed } from "./served.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const help = `npm run bench:serve [-- options]
  --model FILE     a model of yours (default: a random one of the 2B4T shape, made in .cache/models)
  --clients LIST   1,4,8
  --tokens N       a text (48)
  --rounds N       3
  --threads N      of the server (2)
  --node PATH      what runs the server (this Node.js)
  --no-save        keep no results`;

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    clients: { type: "string", default: "1,4,8" },
    tokens: { type: "string", default: "48" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: "2" },
    node: { type: "string", default: process.execPath },
    "no-save": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}
const counts = values.clients.split(",").map(Number);
const [tokens, rounds] = [Number(values.tokens), Number(values.rounds)];
const beginnings = [
  "The king",
  "A fox",
  "Once upon a time",
  "In the wood",
  "The miller",
  "Far away",
  "Jack",
  "One day",
];
/** Longer than a pass takes at once; each is read once, so that nothing of it is cached. */
const promptTokens = 256;

const cache = join(root, ".cache", "models");
mkdirSync(cache, { recursive: true });
const model = values.model ?? (await makeModels(cache, "2B4T", { rival: false })).ours;
const most = Math.max(...counts);
const served = await startServed({
  model,
  node: values.node,
  flags: ["--parallel", String(most), "--threads", values.threads, "--ctx", "1024", "--no-log"],
});
const { url } = served;

async function idsOf(content, { parseSpecial = false } = {}) {
  const response = await post(url, "/tokenize", { content, parse_special: parseSpecial });
  return (await response.json()).tokens;
}

// Without an end, each text has the length that is asked for.
const bias = {};
for (const name of ["<|end_of_text|>", "<|eot_id|>", "<|endoftext|>", "</s>"]) {
  const ids = await idsOf(name, { parseSpecial: true });
  if (ids.length === 1) bias[ids[0]] = -100;
}

let asked = 0;
/** A client: one text, streamed. */
async function read(prompt, most) {
  const startedMs = performance.now();
  const response = await post(url, "/v1/completions", {
    prompt,
    max_tokens: most,
    temperature: 0,
    logit_bias: bias,
    stream: true,
    stream_options: { include_usage: true },
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  let firstMs;
  let written = 0;
  let text = "";
  for await (const { choices, usage } of events(response)) {
    firstMs ??= performance.now();
    text += choices[0]?.text ?? "";
    written = usage?.completion_tokens ?? written;
  }
  const endedMs = performance.now();
  if (written !== most) throw new Error(`a text ended after ${written} tokens instead of ${most}`);
  return { text, startedMs, firstMs, endedMs };
}

async function together(count) {
  asked += 1;
  const before = await readMetrics(url);
  const texts = await Promise.all(
    // Another beginning each time, but for the words: nothing is cached.
    beginnings.slice(0, count).map((words) => read(`${asked}. ${words}`, tokens)),
  );
  const after = await readMetrics(url);
  const begin = Math.min(...texts.map(({ startedMs }) => startedMs));
  const end = Math.max(...texts.map(({ endedMs }) => endedMs));
  const speeds = texts.map(({ startedMs, endedMs }) => (tokens * 1000) / (endedMs - startedMs));
  return {
    tokensPerSecond: (count * tokens * 1000) / (end - begin),
    fairness: Math.min(...speeds) / Math.max(...speeds),
    firstTokenMs: Math.max(...texts.map(({ startedMs, firstMs }) => firstMs - startedMs)),
    passes: after.passes_total - before.passes_total,
    passMs: (end - begin) / (after.passes_total - before.passes_total),
  };
}

async function promptSpeed() {
  asked += 1;
  const ids = await idsOf(`${asked} ${"word and other ".repeat(promptTokens)}`);
  const { startedMs, endedMs } = await read(ids.slice(0, promptTokens), 1);
  return (promptTokens * 1000) / (endedMs - startedMs);
}

const samples = Object.fromEntries(counts.map((count) => [count, []]));
const prompts = [];
await together(1);
for (let round = 0; round < rounds; round += 1) {
  const order = round % 2 === 0 ? counts : counts.toReversed();
  for (const count of order) samples[count].push(await together(count));
  prompts.push(await promptSpeed());
}
const memoryBytes = served.memoryBytes();
await served.stop();

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const spread = (list) => `${Math.min(...list).toFixed(2)}–${Math.max(...list).toFixed(2)}`;
const pick = (count, name) => samples[count].map((sample) => sample[name]);
const alone = pick(counts[0], "tokensPerSecond");

console.log(
  `\n| clients | tokens/s, all | of one client's | ms a pass | first token, slowest, ms | slowest/fastest client |`,
);
console.log(`| --- | --- | --- | --- | --- | --- |`);
for (const count of counts) {
  const speeds = pick(count, "tokensPerSecond");
  const ratios = speeds.map((speed, index) => speed / alone[index]);
  const cells = [
    count,
    `${median(speeds).toFixed(1)} (${spread(speeds)})`,
    `${median(ratios).toFixed(2)} (${spread(ratios)})`,
    median(pick(count, "passMs")).toFixed(1),
    median(pick(count, "firstTokenMs")).toFixed(0),
    `${median(pick(count, "fairness")).toFixed(2)} (${spread(pick(count, "fairness"))})`,
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
console.log(
  `\nA prompt is read at ${median(prompts).toFixed(1)} tokens/s (${spread(prompts)}): what these threads compute where all tokens share each pass over the weights. No number of clients gets more, which is ${(median(prompts) / median(alone)).toFixed(2)} of one client's.`,
);

if (!values["no-save"]) {
  const date = new Date().toISOString();
  const record = {
    date,
    commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" }).trim(),
    machine: {
      cpu: os.cpus()[0]?.model ?? "",
      cores: os.cpus().length,
      memoryBytes: os.totalmem(),
      platform: os.platform(),
      arch: os.arch(),
    },
    server: execFileSync(values.node, ["--version"], { encoding: "utf8" }).trim(),
    client: process.version,
    options: {
      model: values.model === undefined ? "2B4T" : "own",
      clients: counts,
      tokens,
      rounds,
      threads: Number(values.threads),
    },
    memoryBytes,
    samples,
    promptTokensPerSecond: prompts,
  };
  const file = join(root, "bench", "results", `serve-${date.replaceAll(/[:.]/g, "-")}.json`);
  writeFileSync(file, `${JSON.stringify(record, undefined, 1)}\n`);
  console.log(`kept in ${relative(root, file)}`);
}
