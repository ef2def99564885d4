import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "../server/open-server.js";
import {
  type BatchFolder,
  comparable,
  completions,
  countLines,
  makeBatchFolder,
} from "../support/batch-workbench.js";
import { finishCli, runCli, startCli } from "../support/run-cli.js";

let folder: BatchFolder;
beforeAll(async () => (folder = await makeBatchFolder()));
afterAll(() => folder[Symbol.asyncDispose]());

const kills = 20;

it(
  `goes on after ${kills} kills at random moments, and loses and doubles nothing`,
  { timeout: 300_000 },
  async () => {
    const lines: unknown[] = completions(600, 8);
    lines.splice(100, 0, "not JSON", lines[7]);
    const input = await folder.write("in.jsonl", lines);
    const undisturbed = await runCli(["batch", input, "-o", folder.path("undisturbed.jsonl"), "-t", "1"]);
    expect(undisturbed.status).toBe(1);

    const output = folder.path("killed.jsonl");
    const command = ["batch", input, "-o", output, "-t", "1"];
    for (let kill = 0; kill < kills; kill += 1) {
      const before = countLines(output);
      const child = startCli(command);
      const finished = finishCli(child);
      // Every third kill comes while the batch waits for the lock, reads its files or loads the model. The
      // others come while it writes results.
      const moreLines = kill % 3 === 0 ? 0 : 1 + Math.floor(Math.random() * 25);
      const patienceMs = Math.random() * (kill % 3 === 0 ? 1500 : 20);
      await until(() => countLines(output) >= before + moreLines);
      await new Promise((resolve) => setTimeout(resolve, patienceMs));
      child.kill("SIGKILL");
      expect((await finished).status).toBe(null);
    }
    const some = countLines(output);
    expect(some).toBeGreaterThan(kills);
    expect(some).toBeLessThan(602);

    const last = await runCli(command);
    expect([last.status, last.stderr]).toEqual([1, expect.stringContaining("2 of 602 requests have errors")]);
    expect(last.stderr).toMatch(/answered 602 of 602 requests, \d+ of them by earlier runs/);
    expect(comparable(folder.read("killed.jsonl"))).toEqual(comparable(folder.read("undisturbed.jsonl")));
  },
);
