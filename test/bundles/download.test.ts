import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { bundle, projectFolder } from "../support/bundle.js";
import { findChromium, startChromium } from "../support/chromium.js";
import { starterPath } from "../support/golden-path.js";
import { type PageServer, servePage } from "../support/serve-page.js";

const executable = findChromium();
const subject =
  executable === undefined
    ? "downloads from the hub in Chromium (SKIPPED: no Chromium in the PATH and none named by CHROMIUM)"
    : "downloads from the hub in Chromium";
if (executable === undefined) console.warn(subject);

/** Answers as the hub for a repository with one file. @returns the number of requests for its bytes. */
async function playHub(context: BrowserContext, bytes: Buffer, sha256: string): Promise<() => number> {
  let requests = 0;
  const headers = { "access-control-allow-origin": "*", "access-control-allow-headers": "*" };
  await context.route("https://huggingface.co/**", async (route) => {
    const { pathname } = new URL(route.request().url());
    const commit = "a".repeat(40);
    if (pathname.includes("/revision/")) return route.fulfill({ headers, json: { sha: commit } });
    if (pathname.includes("/tree/")) {
      const large = { oid: sha256, size: bytes.length };
      const entry = { type: "file", path: "model.gguf", size: bytes.length, oid: "b".repeat(40), lfs: large };
      return route.fulfill({ headers, json: [entry] });
    }
    requests += route.request().method() === "GET" ? 1 : 0;
    // Long enough for another tab to ask as well.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return route.fulfill({ status: 206, headers, body: bytes });
  });
  return () => requests;
}

describe.skipIf(executable === undefined)(subject, () => {
  let browser: Browser;
  let folder: string;
  let server: PageServer;
  let bytes: Buffer;
  let sha256: string;
  beforeAll(async () => {
    bytes = await readFile(starterPath);
    sha256 = createHash("sha256").update(bytes).digest("hex");
    folder = await projectFolder();
    const script = await bundle(folder, "download.mjs", { platform: "browser", format: "esm" });
    server = await servePage(script, { isolated: false });
    browser = await startChromium(executable ?? "");
  });
  afterAll(async () => {
    await browser.close();
    server.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Loads the model in some tabs at the same time. */
  async function loadInTabs(context: BrowserContext, tabs: number): Promise<unknown[]> {
    return Promise.all(
      Array.from({ length: tabs }, async () => {
        const page = await context.newPage();
        await page.goto(server.url);
        await page.waitForFunction(() => "load" in globalThis);
        return page.evaluate(() => (globalThis as unknown as { load: () => Promise<string> }).load());
      }),
    );
  }

  it("happen once for two tabs, and verify the checksum", async () => {
    const model = await loadModel(starterPath, { threads: 1 });
    const text = await model.complete("Once upon a time", { maxTokens: 24, temperature: 0 });
    await model.dispose();
    const context = await browser.newContext();
    const requests = await playHub(context, bytes, sha256);
    expect(await loadInTabs(context, 2)).toEqual([text, text]);
    expect(await loadInTabs(context, 1)).toEqual([text]);
    expect(requests()).toBe(1);
    await context.close();
  });

  it("refuse bytes with another checksum, and do not keep them", async () => {
    const context = await browser.newContext();
    const damaged = Buffer.from(bytes);
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    const requests = await playHub(context, damaged, sha256);
    await expect(loadInTabs(context, 1)).rejects.toThrow(/checksum is wrong/);
    await expect(loadInTabs(context, 1)).rejects.toThrow(/checksum is wrong/);
    expect(requests()).toBe(2);
    await context.close();
  });
});
