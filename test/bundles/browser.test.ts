import { readFile, rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { bundle, projectFolder } from "../support/bundle.js";
import { findChromium, startChromium } from "../support/chromium.js";
import { findFirefox, openInFirefox } from "../support/firefox.js";
import { starterPath } from "../support/golden-path.js";
import { servePage } from "../support/serve-page.js";
import { findWebKit, openInWebKit } from "../support/webkit.js";

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
  readonly inWorker: {
    readonly ids: readonly number[];
    /** Undefined if the browser does not count them. */
    readonly longTasks?: number;
    readonly error: object;
    readonly pieces: number;
    readonly threads: number;
    readonly stages: readonly string[];
  };
  readonly busyPage: { readonly longTasks?: number };
}

interface TestedBrowser {
  readonly name: string;
  readonly variable: string;
  readonly executable: string | undefined;
  /** @returns a function that closes the page. */
  readonly open: (executable: string, url: string) => Promise<() => Promise<void>>;
  /** Whether the browser counts tasks of 50 ms and more. */
  readonly countsLongTasks: boolean;
  /** Whether threads share memory in isolated pages. */
  readonly sharesMemory: boolean;
  /** Whether a page keeps the model of a URL. */
  readonly keepsFiles: boolean;
}

const browsers: readonly TestedBrowser[] = [
  {
    name: "Chromium",
    variable: "CHROMIUM",
    executable: findChromium(),
    async open(executable, url) {
      const browser = await startChromium(executable);
      const page = await browser.newPage();
      await page.goto(url);
      return () => browser.close();
    },
    countsLongTasks: true,
    sharesMemory: true,
    keepsFiles: true,
  },
  {
    name: "Firefox",
    variable: "FIREFOX",
    executable: findFirefox(),
    open: openInFirefox,
    countsLongTasks: false,
    sharesMemory: true,
    keepsFiles: true,
  },
  {
    name: "WebKitGTK",
    variable: "WEBKIT",
    executable: findWebKit(),
    open: openInWebKit,
    countsLongTasks: false,
    sharesMemory: false,
    keepsFiles: false,
  },
  {
    name: "WebKitGTK with the features of Safari 18",
    variable: "WEBKIT",
    executable: findWebKit(),
    open: (executable, url) => openInWebKit(executable, url, 18),
    countsLongTasks: false,
    sharesMemory: true,
    keepsFiles: false,
  },
  {
    name: "WebKitGTK with the features of Safari 26",
    variable: "WEBKIT",
    executable: findWebKit(),
    open: (executable, url) => openInWebKit(executable, url, 26),
    countsLongTasks: false,
    sharesMemory: true,
    keepsFiles: true,
  },
];

let folder: string;
let script: string;
let text: string;
const ids: number[] = [];
beforeAll(async () => {
  const model = await loadModel(starterPath, { threads: 2 });
  text = await model.complete("Once upon a time", { maxTokens: 24, temperature: 0 });
  for await (const { tokenId } of model.generate("Once upon a time", { maxTokens: 24, temperature: 0 }))
    ids.push(tokenId);
  await model.dispose();
  folder = await projectFolder();
  script = await bundle(folder, "page.mjs", { platform: "browser", format: "esm" });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

for (const { name, variable, executable, open, countsLongTasks, sharesMemory, keepsFiles } of browsers) {
  const missing = ` (SKIPPED: no ${name} in the PATH and none named by ${variable})`;
  const subject = `the library in ${name}${executable === undefined ? missing : ""}`;
  if (executable === undefined) console.warn(subject);

  describe.skipIf(executable === undefined)(subject, () => {
    it.each([
      ["that is isolated, with threads", true],
      ["that is not isolated, in its own thread", false],
    ])("has Node's text in a page %s", { timeout: 180_000 }, async (_, isolated) => {
      const server = await servePage(script, { isolated });
      const close = await open(executable ?? "", server.url);
      try {
        const result = (await server.result) as PageResult;
        expect(result.error).toBeUndefined();
        for (const { text: written } of [result.blob, result.one, result.url, result.again])
          expect(written).toBe(text);
        const hasThreads = isolated && sharesMemory;
        expect(result.one.threads).toBe(hasThreads ? 1 : 0);
        expect(result.blob.threads > 0).toBe(hasThreads);
        expect(result.stages).toEqual(["download", "open", "weights", "ready"]);
        // By the page itself and by the first load of the URL. The second load reads what the browser kept.
        expect(server.modelBytes()).toBe((keepsFiles ? 2 : 3) * (await readFile(starterPath)).length);
        expect(result.path).toMatchObject({
          code: "FILE_NOT_FOUND",
          message: expect.stringContaining("a browser has no paths"),
        });

        const { inWorker, busyPage } = result;
        expect(inWorker.ids).toEqual(ids);
        expect(inWorker.threads > 0).toBe(hasThreads);
        expect(inWorker.stages).toEqual(["open", "weights", "ready"]);
        expect(inWorker.error).toEqual({ name: "BitNetError", code: "INVALID_ARGUMENT" });
        expect(inWorker.pieces).toBe(4);
        // The page's own long task is seen, so the count can be other than 0.
        expect(inWorker.longTasks).toBe(countsLongTasks ? 0 : undefined);
        if (countsLongTasks) expect(busyPage.longTasks).toBeGreaterThan(0);
      } finally {
        await close();
        server.close();
      }
    });
  });
}
