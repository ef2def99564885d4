import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findChromium, startChromium } from "../support/chromium.js";
import { storytellerPath } from "../support/golden-path.js";

const executable = findChromium();
const subject =
  executable === undefined
    ? "examples/browser (SKIPPED: no Chromium in the PATH and none named by CHROMIUM)"
    : "examples/browser";
if (executable === undefined) console.warn(subject);
const script = fileURLToPath(new URL("../../examples/browser/serve.mjs", import.meta.url));

async function startSite(flags: readonly string[]): Promise<{ site: ChildProcess; url: string }> {
  const site = spawn(process.execPath, [script, "--port", "0", ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (site.stdout === null) throw new Error("no output");
  const [line] = (await once(site.stdout, "data")) as [Buffer];
  return { site, url: line.toString().trim() };
}

async function loadStoryteller(page: Page): Promise<void> {
  await page.getByLabel("Model", { exact: true }).selectOption({ index: 0 });
  await page.getByRole("button", { name: "Load" }).click();
  await page.getByLabel("Your message").isEnabled();
  await page.locator("#text:enabled").waitFor();
}

/** Asks, and stops the answer once it has some text. */
async function askAndStop(page: Page): Promise<string> {
  await page.getByLabel("Your message").fill("Once upon a time");
  await page.keyboard.press("Enter");
  // The page itself clicks: on a busy machine, a click from here came after the end of a short story.
  await page.waitForFunction(() => {
    const { document } = globalThis as unknown as {
      document: {
        querySelector(name: string): { textContent: string; disabled?: boolean; click(): void } | null;
      };
    };
    const text = document.querySelector("article.assistant:last-child")?.textContent ?? "";
    const stop = document.querySelector("#stop");
    if (text.length <= 20 || stop?.disabled !== false) return false;
    stop.click();
    return true;
  });
  await page.locator("#text:enabled").waitFor();
  return page.locator("article.assistant").last().innerText();
}

describe.skipIf(executable === undefined)(subject, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium(executable ?? "");
  });
  afterAll(() => browser.close());

  it.each([
    ["isolated", ["--isolated"], /Storyteller, \d+ thread/],
    ["not isolated", [], /Storyteller, one thread/],
  ])("loads a model, answers and stops: %s", async (_, flags, status) => {
    const { site, url } = await startSite(flags);
    const page = await browser.newPage({ viewport: { width: 390, height: 760 } });
    try {
      await page.goto(url);
      await loadStoryteller(page);
      expect(await page.locator("#model").innerText()).toMatch(status);
      const answer = await askAndStop(page);
      expect(answer.length).toBeGreaterThan(20);
      expect(await page.locator("#speed").innerText()).toMatch(/^\d+\.\d tokens\/s$/);
      // The whole answer once, for screen readers.
      expect((await page.locator("#spoken").textContent())?.trim()).toBe(answer.trim());
      await askAndStop(page);
      expect(await page.locator("article").count()).toBe(4);
      await page.getByRole("button", { name: "New chat" }).click();
      await page.waitForFunction("document.querySelectorAll('article').length === 0");
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    } finally {
      await page.close();
      site.kill();
    }
  });

  it("says what is wrong, and opens a file after that", async () => {
    const { site, url } = await startSite([]);
    const page = await browser.newPage();
    try {
      await page.goto(url);
      await page.getByLabel("Model", { exact: true }).selectOption("Another model…");
      await page.getByLabel("Address or name on Hugging Face").fill(new URL("no.gguf", url).href);
      await page.getByRole("button", { name: "Load" }).click();
      const error = page.getByRole("alert");
      await error.waitFor();
      expect(await error.innerText()).toContain("(FILE_NOT_FOUND)");
      await page.getByLabel("Open a file…").setInputFiles(storytellerPath);
      await page.locator("#text:enabled").waitFor();
      expect(await error.isVisible()).toBe(false);
      expect(await page.locator("#model").innerText()).toContain("storyteller.gguf");
      expect((await askAndStop(page)).length).toBeGreaterThan(20);
    } finally {
      await page.close();
      site.kill();
    }
  });
});
