// A side of the comparison is a process that loads its model once and then runs one measurement at a time.
// Orders are
// lines of JSON on standard input, answers are lines of JSON on standard output: every runtime can do that.
import process from "node:process";
import { createInterface } from "node:readline";

/** The measurements of every side besides its own ones. */
const ofProcess = {
  /** The most memory that this process has ever had in RAM, in bytes. */
  peak: () => Math.max(process.resourceUsage().maxRSS * 1024, process.memoryUsage().rss),
  /** Milliseconds of processors that all its threads have used. */
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/**
 * Answers each order { kind, … } with { value } or { error }; ends with the input.
 *
 * @param ready facts about the side, known once its model is loaded.
 * @param own measurements by kind that replace those of the process.
 */
export async function serveMeasurements(ready, measure, stop, own = {}) {
  const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  answer({ ready });
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    if (order.kind === "stop") break;
    try {
      answer({ value: await (own[order.kind] ?? ofProcess[order.kind] ?? measure)(order) });
    } catch (error) {
      answer({ error: error?.stack ?? String(error) });
    }
  }
  await stop();
  process.exit(0);
}
