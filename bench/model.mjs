// Speed of any GGUF file, in turns with node-llama-cpp. Prints medians of tokens per second of processor time
// and of the clock. Processor time of one thread is the steadier figure beside other programs.
//
//   node bench/model.mjs MODEL.gguf [--rival FOLDER] [--threads N] [--rounds N]
//
//   FOLDER is an installed package: node_modules/node-llama-cpp
import { join, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { loadModel } from "../dist/index.js";
import { internalsOf } from "../dist/language-model/internals.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rival: { type: "string" },
    threads: { type: "string", default: "1" },
    rounds: { type: "string", default: "7" },
  },
});
const [path] = positionals;
if (path === undefined) throw new Error("give the path of a GGUF file");
const [threads, rounds] = [Number(values.threads), Number(values.rounds)];
const [promptTokens, generatedTokens, contextLength] = [128, 64, 512];
const ids = Array.from({ length: promptTokens }, (_, i) => 100 + ((i * 7919) % 1000));
const greedy = { count: 1, always: [] };

async function openOurs() {
  const model = await loadModel(path, { threads, contextLength });
  const session = internalsOf(model).engine.openSession(contextLength);
  return {
    async pp128() {
      session.truncate(0);
      await session.evaluateInPlace(ids, greedy);
      return promptTokens;
    },
    async tg64() {
      session.truncate(0);
      for (const id of ids.slice(0, generatedTokens)) await session.evaluateInPlace([id], greedy);
      return generatedTokens;
    },
  };
}

async function openRival(folder) {
  const { getLlama } = await import(pathToFileURL(join(resolve(folder), "dist", "index.js")).href);
  const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads });
  const model = await llama.loadModel({ modelPath: path });
  const context = await model.createContext({
    contextSize: contextLength,
    batchSize: contextLength,
    threads,
  });
  const sequence = context.getSequence();
  return {
    async pp128() {
      await sequence.clearHistory();
      await sequence.evaluateWithoutGeneratingNewTokens(ids);
      return promptTokens;
    },
    async tg64() {
      await sequence.clearHistory();
      let count = 0;
      for await (const _ of sequence.evaluate([100], { temperature: 0, yieldEogToken: true })) {
        count += 1;
        if (count >= generatedTokens) break;
      }
      return count;
    },
  };
}

/** Tokens per second of the clock, and of processor time. */
async function speedOf(run) {
  const [begin, used] = [performance.now(), process.cpuUsage()];
  const tokens = await run();
  return {
    clock: (tokens * 1e3) / (performance.now() - begin),
    processor: (tokens * 1e6) / process.cpuUsage(used).user,
  };
}

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];
const sides = [{ name: "bitnet-wasm", ...(await openOurs()) }];
if (values.rival !== undefined) sides.push({ name: "node-llama-cpp", ...(await openRival(values.rival)) });

for (const test of ["pp128", "tg64"]) {
  const speeds = sides.map(() => []);
  // Runs before the first round warm both sides up.
  for (let round = -2; round < rounds; round += 1) {
    for (const [i, side] of sides.entries()) {
      const speed = await speedOf(side[test]);
      if (round >= 0) speeds[i].push(speed);
    }
  }
  for (const of of ["clock", "processor"]) {
    const medians = speeds.map((each) => median(each.map((speed) => speed[of])));
    const texts = sides.map(({ name }, i) => `${name} ${medians[i].toFixed(0)}`);
    const ratio = sides.length > 1 ? `, ratio ${(medians[0] / medians[1]).toFixed(2)}` : "";
    console.log(`${test} by ${of}, ${threads} threads: ${texts.join(", ")}${ratio}`);
  }
}
process.exit(0);
