/**
 * How long a start takes: Node.js alone, `import "bitnet-wasm"` with its bundled files and with the modules
 * that they are made from, the provider of the AI SDK, and the command. In turns. CPU time says more than
 * elapsed time while other programs run.
 *
 *   node bench/startup.mjs [rounds]
 */
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";

const rounds = Number(process.argv[2] ?? 15);
const dist = (path) => fileURLToPath(new URL(`../dist/${path}`, import.meta.url));
const starts = [
  ["Node.js alone", ["--eval", ""]],
  ["the library", [dist("node/index.js")]],
  ["the library, as modules", [dist("index.js")]],
  ["the AI SDK's provider", [dist("node/ai-sdk.js")]],
  ["bitnet --version", [dist("node/bitnet.js"), "--version"]],
  ["bitnet --version, as modules", [dist("cli/main.js"), "--version"]],
  ["bitnet --help", [dist("node/bitnet.js"), "--help"]],
];
/** Writes the milliseconds since the process started and of its CPU time, when it ends. */
const meter =
  "data:text/javascript,process.on('exit',()=>{const{user,system}=process.cpuUsage();" +
  "process.stderr.write(JSON.stringify([performance.now(),(user+system)/1000]))})";

function measure(args) {
  const { status, stderr } = spawnSync(process.execPath, ["--import", meter, ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(`node ${args.join(" ")} failed:\n${stderr}`);
  return JSON.parse(stderr);
}

const measured = starts.map(() => []);
// The first round reads the files from disk.
for (let round = -1; round < rounds; round += 1)
  for (const [index, [, args]] of starts.entries()) {
    const times = measure(args);
    if (round >= 0) measured[index].push(times);
  }

const medianOf = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const medians = measured.map((times) => [0, 1].map((kind) => medianOf(times.map((each) => each[kind]))));
console.log(`${process.version}, ${cpus()[0]?.model.trim()}, medians of ${rounds} rounds\n`);
console.log(
  "| start | elapsed | beyond Node.js | CPU time | beyond Node.js |\n| --- | --- | --- | --- | --- |",
);
for (const [index, [name]] of starts.entries()) {
  const cells = [0, 1].flatMap((kind) => [medians[index][kind], medians[index][kind] - medians[0][kind]]);
  console.log(`| ${[name, ...cells.map((time) => `${time.toFixed(0)} ms`)].join(" | ")} |`);
}
