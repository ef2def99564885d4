import { describe, expect, it } from "vitest";
import { findProgram } from "../support/find-program.js";
import { runScript } from "../support/run-script.js";

const nginx = findProgram("NGINX", ["nginx"]);
const subject =
  nginx === undefined
    ? "deploy/nginx.conf (SKIPPED: no nginx in the PATH or /usr/sbin, and none named by NGINX)"
    : "deploy/nginx.conf";
if (nginx === undefined) console.warn(subject);

interface Run {
  readonly requests: number;
  readonly failures: number;
  /** Requests that failed once. */
  readonly firstFailures: number;
  readonly reasons: readonly string[];
  /** Requests by the server that answered. */
  readonly spread: readonly number[];
  /** Requests that nginx sent to a further server. */
  readonly passedOn: number;
}

describe.skipIf(nginx === undefined)(subject, () => {
  it("keeps a conversation at its server, and loses no request when a server is killed and one is stopped", async () => {
    const { stdout, stderr } = await runScript("bench/serve/nginx.mjs", [
      ...["--clients", "6", "--turns", "3", "--tokens", "12"],
      "--json",
    ]);
    expect(stderr).toBe("");
    const { affinity, random, faults } = JSON.parse(stdout) as {
      readonly affinity: Run & { readonly cachedShare: number };
      readonly random: Run & { readonly cachedShare: number };
      readonly faults: Run & { readonly drainStatus: number; readonly failedDraining: number };
    };
    for (const run of [affinity, random, faults]) expect(run).toMatchObject({ requests: 18, failures: 0 });
    for (const run of [affinity, random]) expect(run).toMatchObject({ passedOn: 0, reasons: [] });
    // Two thirds of the turns can find their whole past.
    expect(affinity.cachedShare).toBeGreaterThan(0.4);
    expect(affinity.cachedShare).toBeGreaterThan(random.cachedShare);
    expect(faults).toMatchObject({ drainStatus: 0, failedDraining: 0 });
    // The busiest server was killed. nginx passed its requests on, or their clients asked again.
    expect(faults.passedOn + faults.firstFailures).toBeGreaterThan(0);
  }, 300_000);
});
