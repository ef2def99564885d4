// `npm run bench:nginx`: three servers on the embedded model behind nginx, with conversations of several
// turns. It compares the prompt tokens found in KV caches with and without X-Affinity-Key. Then the busiest
// server is killed, and later the busiest one is stopped. After one retry, no request may fail.
import { parseArgs } from "node:util";
import { startNginx } from "./nginx-process.mjs";
import { events, post, readMetrics, startServed } from "./served.mjs";

const help = `npm run bench:nginx [-- options]
  --clients N   conversations at the same time (12)
  --turns N     of a conversation, 1 to 8 (8)
  --tokens N    of an answer (24)
  --json        print one line of JSON`;

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "12" },
    turns: { type: "string", default: "8" },
    tokens: { type: "string", default: "24" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}
const [clients, turns, tokens] = [values.clients, values.turns, values.tokens].map(Number);
/** With a slot for each conversation: the hash may give most of them to one server. */
const flags = ["--threads", "1", "--parallel", values.clients, "--no-log"];
const names = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gil", "Hana", "Ian", "Jo", "Kit", "Lea"];

/** The first messages of a conversation. No two conversations share their beginning. */
function beginning(conversation) {
  const name = names[conversation % names.length];
  const content = `${name}${conversation} writes stories for children. `.repeat(6);
  return [{ role: "system", content }];
}

/** One answer. @throws Error for a status other than 200 and for a stream without an end. */
async function ask(url, { messages, stream, key }) {
  const headers = { "Content-Type": "application/json", "X-Affinity-Key": key };
  const body = { messages, max_tokens: tokens, temperature: 0, stream };
  const response = await post(url, "/v1/chat/completions", body, { headers });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  if (!stream) return (await response.json()).choices[0].message.content;
  let text = "";
  let ended = false;
  for await (const { error, choices } of events(response)) {
    if (error !== undefined) throw new Error(error.message);
    text += choices[0]?.delta.content ?? "";
    ended ||= choices[0]?.finish_reason != null;
  }
  if (!ended) throw new Error("the stream ended too early");
  return text;
}

function createCounts() {
  return { requests: 0, firstFailures: 0, failures: 0 };
}

/** All conversations at the same time. `keyOf` gives the affinity key of a conversation's request. */
async function converse(url, { keyOf, counts = createCounts(), onRequest = () => undefined }) {
  const reasons = new Set();
  async function once(request) {
    counts.requests += 1;
    onRequest(counts.requests);
    try {
      return await ask(url, request);
    } catch (error) {
      reasons.add(error.message);
      counts.firstFailures += 1;
    }
    try {
      return await ask(url, request);
    } catch (error) {
      reasons.add(error.message);
      counts.failures += 1;
      return "";
    }
  }
  await Promise.all(
    Array.from({ length: clients }, async (_, conversation) => {
      const messages = beginning(conversation);
      for (let turn = 0; turn < turns; turn += 1) {
        messages.push({ role: "user", content: `Go on, part ${turn + 1}.` });
        const stream = (conversation + turn) % 2 === 0;
        const content = await once({ messages, stream, key: keyOf(conversation) });
        messages.push({ role: "assistant", content });
      }
    }),
  );
  return { ...counts, reasons: [...reasons] };
}

/** Three fresh servers behind nginx, for one run. */
async function behindNginx(run) {
  const servers = await Promise.all([0, 1, 2].map(() => startServed({ flags })));
  const nginx = await startNginx(servers.map(({ url }) => url));
  try {
    const result = await run(nginx.url, servers);
    const log = nginx.requests();
    const spread = servers.map(
      ({ url }) => log.filter(({ ports }) => ports.at(-1) === new URL(url).port).length,
    );
    return { ...result, spread, passedOn: log.filter(({ ports }) => ports.length > 1).length };
  } finally {
    await nginx.stop();
    await Promise.all(servers.map(({ kill }) => kill()));
  }
}

/** The server that writes most texts now. */
async function busiest(servers) {
  const active = await Promise.all(
    servers.map(async (server) => [server, (await readMetrics(server.url)).requests_active]),
  );
  return active.toSorted(([, a], [, b]) => b - a)[0][0];
}

function measureHits(keyOf) {
  return behindNginx(async (url, servers) => {
    const counts = await converse(url, { keyOf });
    const metrics = await Promise.all(servers.map((server) => readMetrics(server.url)));
    const sum = (name) => metrics.reduce((total, metric) => total + metric[name], 0);
    return {
      ...counts,
      cacheHits: sum("cache_hits_total"),
      cachedShare: sum("cached_tokens_total") / sum("prompt_tokens_total"),
    };
  });
}

const keyOf = (conversation) => `conversation-${conversation}`;
const random = () => Math.random().toString();

const runs = {
  affinity: await measureHits(keyOf),
  random: await measureHits(random),
  faults: await behindNginx(async (url, servers) => {
    const total = clients * turns;
    const counts = createCounts();
    let killed;
    let drained;
    let failedBefore;
    async function kill() {
      const server = await busiest(servers);
      await server.kill();
      return server;
    }
    async function drain() {
      const gone = await killed;
      const server = await busiest(servers.filter((other) => other !== gone));
      // The requests of the killed server have failed by now.
      failedBefore = counts.firstFailures;
      return server.stop();
    }
    const result = await converse(url, {
      keyOf,
      counts,
      onRequest(number) {
        if (number === Math.ceil(total / 3)) killed = kill();
        if (number === Math.ceil((2 * total) / 3)) drained = drain();
      },
    });
    const drainStatus = await drained;
    return { ...result, failedDraining: counts.firstFailures - failedBefore, drainStatus };
  }),
};

if (values.json) console.log(JSON.stringify(runs));
else {
  const titles = {
    affinity: "X-Affinity-Key by conversation",
    random: "a random key",
    faults: "by conversation, one server killed, one stopped",
  };
  const percent = (share) => (share === undefined ? "" : `${(100 * share).toFixed(0)} %`);
  console.log(
    "| run | requests | failed once | after a retry | passed on by nginx | spread | hits | cached |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const [name, run] of Object.entries(runs)) {
    const { requests, firstFailures, failedDraining, failures, passedOn, spread, cacheHits = "" } = run;
    const failed =
      failedDraining === undefined ? firstFailures : `${firstFailures}, ${failedDraining} by the stop`;
    const cells = [titles[name], requests, failed, failures, passedOn, spread.join(", "), cacheHits];
    console.log(`| ${[...cells, percent(run.cachedShare)].join(" | ")} |`);
  }
  for (const run of Object.values(runs))
    for (const reason of run.reasons) console.log(`failed once: ${reason}`);
}
process.exit(Object.values(runs).every(({ failures }) => failures === 0) ? 0 : 1);
