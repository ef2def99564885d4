import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "./find-program.js";

/** The path in FIREFOX, or the first Firefox in PATH. Undefined if neither exists. */
export function findFirefox(): string | undefined {
  return findProgram("FIREFOX", ["firefox-esr", "firefox"]);
}

/**
 * Opens a page in a Firefox without a window. Nothing drives it: a page posts what it finds out. Debian's
 * Firefox does not speak the protocol of playwright-core.
 *
 * @returns a function that ends it.
 */
export async function openInFirefox(executable: string, url: string): Promise<() => Promise<void>> {
  const profile = await mkdtemp(join(tmpdir(), "bitnet-firefox-"));
  const browser = spawn(executable, ["--headless", "--no-remote", "--profile", profile, url], {
    stdio: "ignore",
    env: { ...process.env, HOME: profile },
  });
  return async () => {
    browser.kill();
    if (browser.exitCode === null && browser.signalCode === null) await once(browser, "exit");
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
}
