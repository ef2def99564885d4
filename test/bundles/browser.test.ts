import { readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, dirname, join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { bundle, projectFolder } from "../support/bundle.js";
import { findChromium, startChromium } from "../support/chromium.js";
import { starterPath } from "../support/golden-path.js";

const executable = findChromium();
const subject =
  executable === undefined
    ? "the library in Chromium (SKIPPED: no Chromium in the PATH and none named by CHROMIUM)"
    : "the library in Chromium";
if (executable === undefined) console.warn(subject);

interface Completion {
  readonly text: string;
  readonly threads: number;
  readonly kernelBuild: string;
}

interface PageResult {
  readonly error?: string;
  readonly blob: Completion;
  readonly one: Completion;
  readonly url: Completion;
  readonly stages: readonly string[];
  readonly again: Completion;
  readonly path: object;
  readonly embedded: object;
}

/** Serves the page, its bundle, the package's worker and a model, and counts what of the model was read. */
function servePage(script: string, isolated: boolean): Promise<{ server: Server; modelBytes: () => number }> {
  let modelBytes = 0;
  const server = createServer((request, response) => {
    void (async () => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      if (isolated) {
        response.setHeader("cross-origin-opener-policy", "same-origin");
        response.setHeader("cross-origin-embedder-policy", "require-corp");
      }
      if (pathname === "/") {
        response.setHeader("content-type", "text/html");
        response.end(`<!doctype html><script type="module" src="/bundle/${basename(script)}"></script>`);
        return;
      }
      if (pathname === "/model.gguf") {
        const bytes = await readFile(starterPath);
        const [, begin, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
        const piece = begin === undefined ? bytes : bytes.subarray(Number(begin), Number(end) + 1);
        response.writeHead(begin === undefined ? 200 : 206, {
          "content-length": piece.length,
          etag: '"one"',
        });
        if (request.method !== "HEAD") modelBytes += piece.length;
        response.end(request.method === "HEAD" ? undefined : piece);
        return;
      }
      // The bundle's own files, and the worker beside them where the bundle looks for it.
      const file = pathname.startsWith("/bundle/")
        ? join(dirname(script), basename(pathname))
        : new URL("../../dist/worker-web.js", import.meta.url);
      response.setHeader("content-type", "text/javascript");
      response.end(await readFile(file));
    })().catch(() => response.writeHead(404).end());
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve({ server, modelBytes: () => modelBytes }));
  });
}

describe.skipIf(executable === undefined)(subject, () => {
  let browser: Browser;
  let folder: string;
  let script: string;
  let text: string;
  beforeAll(async () => {
    const model = await loadModel(starterPath, { threads: 2 });
    text = await model.complete("Once upon a time", { maxTokens: 24, temperature: 0 });
    await model.dispose();
    folder = await projectFolder();
    script = await bundle(folder, "page.mjs", { platform: "browser", format: "esm" });
    browser = await startChromium(executable ?? "");
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  it.each([
    ["that is isolated, with threads", true],
    ["that is not isolated, in its own thread", false],
  ])("has Node's text in a page %s", async (_, isolated) => {
    const { server, modelBytes } = await servePage(script, isolated);
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await page.waitForFunction(() => "result" in globalThis);
      const result = await page.evaluate(() => (globalThis as unknown as { result: PageResult }).result);
      await page.close();
      expect(result.error).toBeUndefined();
      for (const { text: written } of [result.blob, result.one, result.url, result.again])
        expect(written).toBe(text);
      expect(result.one.threads).toBe(isolated ? 1 : 0);
      expect(result.blob.threads > 0).toBe(isolated);
      expect(result.stages).toEqual(["download", "open", "weights", "ready"]);
      // By the page itself and by the first load of the URL. The second load reads what the browser kept.
      expect(modelBytes()).toBe(2 * (await readFile(starterPath)).length);
      expect(result.path).toMatchObject({
        code: "FILE_NOT_FOUND",
        message: expect.stringContaining("a browser has no paths"),
      });
    } finally {
      server.close();
    }
  });
});
