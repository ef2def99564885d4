// `npm run bench:crowd`: answers per second for clients that retry at once after a 429, by their number. The
// server takes 36 requests. Numbers of clients take turns, so that other load on the machine affects all.
import { Agent, request } from "node:http";
import { parseArgs } from "node:util";
import { startServed } from "./served.mjs";

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "36,100" },
    seconds: { type: "string", default: "6" },
    rounds: { type: "string", default: "3" },
  },
});
const counts = values.clients.split(",").map(Number);
const body = JSON.stringify({ prompt: "Once upon a time", max_tokens: 16, temperature: 0 });
const agent = new Agent({ keepAlive: true });
const served = await startServed({ flags: ["--threads", "2", "--no-log"] });

function ask() {
  return new Promise((resolve, reject) => {
    const headers = { "Content-Type": "application/json" };
    const sent = request(`${served.url}/v1/completions`, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

async function crowd(count) {
  const statuses = { 200: 0, 429: 0 };
  const beganMs = performance.now();
  const over = () => performance.now() - beganMs > Number(values.seconds) * 1000;
  const client = async () => {
    while (!over()) {
      const status = await ask();
      if (!over()) statuses[status] += 1;
    }
  };
  await Promise.all(Array.from({ length: count }, client));
  return {
    answered: statuses[200] / Number(values.seconds),
    refused: statuses[429] / Number(values.seconds),
  };
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const samples = new Map(counts.map((count) => [count, []]));
await crowd(counts[0]);
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const count of counts) samples.get(count).push(await crowd(count));
}
await served.stop();
const first = median(samples.get(counts[0]).map(({ answered }) => answered));
console.log("| clients | answers/s | refusals/s | of the first |\n| --- | --- | --- | --- |");
for (const [count, list] of samples) {
  const answered = median(list.map((each) => each.answered));
  const refused = median(list.map((each) => each.refused));
  console.log(
    `| ${count} | ${answered.toFixed(1)} | ${refused.toFixed(0)} | ${(answered / first).toFixed(2)} |`,
  );
}
agent.destroy();
