import { expect, it } from "vitest";
import { runScript } from "../support/run-script.js";

it("a server under clients of every kind fails no good request, for some seconds here and for minutes in npm run soak", async () => {
  const { stdout, stderr } = await runScript("bench/serve/soak.mjs", [
    "--minutes",
    "0.1",
    "--threads",
    "1",
    "--json",
  ]);
  expect(stderr).toBe("");
  const { requests, problems, failures } = JSON.parse(stdout) as {
    readonly requests: Readonly<Record<string, number>>;
    readonly problems: readonly string[];
    readonly failures: readonly string[];
  };
  expect(failures).toEqual([]);
  expect(problems).toEqual([]);
  expect(requests).toMatchObject({ failed: 0, badUnanswered: 0 });
  for (const kind of ["good", "left", "bad", "slow", "stalled", "cut"]) {
    expect([kind, requests[kind]]).toEqual([kind, expect.any(Number)]);
    expect(requests[kind]).toBeGreaterThan(0);
  }
});
