// A `llama-bench` of the reader's own as a side of the comparison: of bitnet.cpp, ik_llama.cpp or llama.cpp.
// Each measurement starts it anew, with one repetition after its own warm-up. So it does not hold its model
// beside the other sides.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { serveMeasurements } from "./messages.mjs";

const { binary, path, threads } = JSON.parse(process.argv[2]);

/** @returns what llama-bench says of one test. */
function bench(promptTokens, generatedTokens) {
  const args = ["-m", path, "-t", String(threads), "-r", "1", "-o", "json"];
  const { status, stdout, stderr, error } = spawnSync(
    binary,
    [...args, "-p", String(promptTokens), "-n", String(generatedTokens)],
    { encoding: "utf8", maxBuffer: 1 << 26 },
  );
  if (status !== 0)
    throw new Error(`${binary} failed: ${error?.message ?? stderr.trim().split("\n").slice(-3).join(" ")}`);
  // Some versions print other lines before the list.
  const [record] = JSON.parse(stdout.slice(stdout.indexOf("[\n")));
  if (!(record?.avg_ts > 0)) throw new Error(`${binary} reported no tokens per second`);
  return record;
}

/** Milliseconds of processors that all ended llama-bench processes have used; 0 where Linux does not tell. */
function childMilliseconds() {
  try {
    // After the program's name, in brackets: fields 16 and 17 of proc(5), in hundredths of a second.
    const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1].split(" ");
    return (Number(fields[13]) + Number(fields[14])) * 10;
  } catch {
    return 0;
  }
}

const milliseconds = (tokens, { avg_ts: perSecond }) => (tokens * 1000) / perSecond;
const measures = {
  pp: ({ tokens }) => milliseconds(tokens, bench(tokens, 0)),
  tg: ({ tokens }) => milliseconds(tokens, bench(0, tokens)),
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000 + childMilliseconds();
  },
  peak: () => undefined,
};

const { build_commit: commit, model_type: type } = bench(8, 0);
await serveMeasurements(
  { version: `llama-bench ${commit ?? "of an unknown version"}, ${type ?? "unknown model"}` },
  (order) => measures[order.kind](order),
  () => undefined,
  measures,
);
