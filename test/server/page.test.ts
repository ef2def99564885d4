import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createServer, type LanguageModel, loadModel, type Server } from "#dist/index.js";
import { type Listening, listen } from "#dist/server/listen.js";
import { findChromium, startChromium } from "../support/chromium.js";
import { makeThinkingModel } from "../support/thinking-model.js";
import { openServer, until } from "./open-server.js";
import { endless, loadPatientModel } from "./patient-model.js";

const executable = findChromium();
const apiKey = "a-key";
/** A question with a short answer, in tokens. All other answers are endless. */
const shortQuestion = "Be short.";
const shortTokens = 12;

// A visible note, so that nobody takes the skipped tests for passed ones.
const subject =
  executable === undefined
    ? "the page (SKIPPED: no Chromium in the PATH and none named by CHROMIUM; on Debian: apt-get install chromium)"
    : "the page";
if (executable === undefined) console.warn(subject);

describe.skipIf(executable === undefined)(subject, () => {
  let model: LanguageModel;
  let server: Server;
  let listening: Listening;
  let browser: Browser;
  let page: Page;
  let log: Locator;
  let status: Locator;
  const stop = (): Locator => page.getByRole("button", { name: "Stop" });
  const send = (): Locator => page.getByRole("button", { name: "Send" });
  const answers = (): Locator => page.getByRole("article", { name: "Answer" });
  const requests: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    model = await loadPatientModel();
    server = createServer(model, { apiKey });
    listening = await listen(
      { fetch: (request) => forPage(server, model, request), dispose: () => server.dispose() },
      { host: "127.0.0.1", port: 0 },
    );
    browser = await startChromium(executable ?? "");
    page = await browser.newPage({ colorScheme: "light", viewport: { width: 900, height: 700 } });
    page.setDefaultTimeout(20_000);
    page.on("request", (request) => requests.push(request.url()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().includes("401")) complaints.push(message.text());
    });
    await page.goto(listening.url);
    log = page.getByRole("log", { name: "Conversation" });
    status = page.getByRole("status");
  });
  afterAll(async () => {
    await browser.close();
    await listening.close(0);
    await model.dispose();
  });
  afterEach(() => {
    expect(complaints).toEqual([]);
    // The page may request only its own server.
    const others = requests.filter((url) => !url.startsWith(listening.url) && !url.startsWith("data:"));
    expect(others).toEqual([]);
  });

  it("asks for the server's key, and uses it", async () => {
    await status.getByText(/API key/).waitFor();
    await page.getByLabel(/^Key/).fill(apiKey);
    await page.keyboard.press("Enter");
    await page.locator("#model").getByText(model.info.name).waitFor();
    expect(await status.textContent()).toBe("");
  });

  it("has a label for every control", async () => {
    expect(await page.locator("html").getAttribute("lang")).toBe("en");
    expect(await page.title()).not.toBe("");
    expect(await page.getByLabel(/^Message/).count()).toBe(1);
    const nameless = await page.evaluate<string[]>(namelessControls);
    expect(nameless).toEqual([]);
    expect(await page.locator("#spoken").getAttribute("aria-live")).toBe("polite");
  });

  it("shows an answer while it is written, with its speed, and stops it", async () => {
    await page.getByLabel(/^Message/).focus();
    await page.keyboard.type("Once upon a time");
    await page.keyboard.press("Enter");
    expect(await page.getByRole("article", { name: "You" }).textContent()).toBe("Once upon a time");
    const answer = answers().first();
    await until(async () => ((await answer.textContent()) ?? "").length > 20);
    const first = (await answer.textContent()) ?? "";
    await until(async () => ((await answer.textContent()) ?? "").length > first.length + 20);
    expect((await answer.textContent())?.startsWith(first)).toBe(true);
    expect(await answer.getAttribute("aria-busy")).toBe("true");
    expect(await status.textContent()).toBe("Writing");
    expect(await page.locator("#speed").textContent()).toMatch(/^\d+\.\d tokens\/s$/);
    expect(await send().isDisabled()).toBe(true);
    await stop().click();
    await until(() => server.stats.active === 0);
    await status.getByText("stopped").waitFor();
    expect(await status.textContent()).toMatch(/^\d+ tokens, \d+\.\d tokens\/s, stopped$/);
    expect(await answer.getAttribute("aria-busy")).toBeNull();
    expect(await stop().isDisabled()).toBe(true);
    // The sentences for screen readers add up to the answer.
    expect(await answer.textContent()).toContain(await page.locator("#spoken").textContent());
  });

  it("works by keyboard alone: lines, sending, stopping", async () => {
    expect(await page.evaluate<string>("document.activeElement.id")).toBe("text");
    await page.keyboard.type("A fox");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("and a king");
    await page.keyboard.press("Enter");
    expect(await page.getByRole("article", { name: "You" }).nth(1).textContent()).toBe("A fox\nand a king");
    await until(async () => ((await answers().nth(1).textContent()) ?? "").length > 10);
    await page.keyboard.press("Tab");
    expect(await page.evaluate<string>("document.activeElement.id")).toBe("stop");
    await page.keyboard.press("Enter");
    await until(() => server.stats.active === 0);
    await status.getByText("stopped").waitFor();
    await page.keyboard.type("More");
    await page.keyboard.press("Enter");
    await until(async () => ((await answers().nth(2).textContent()) ?? "").length > 10);
    await page.keyboard.press("Escape");
    await until(() => server.stats.active === 0);
    await page.getByText("stopped").nth(2).waitFor();
  });

  it("starts a new chat, and shows the library's whole answer as text", async () => {
    await page.getByRole("button", { name: "New chat" }).click();
    expect(await log.textContent()).toBe("");
    const question = `<b onclick="x">${shortQuestion}</b>`;
    await page.keyboard.type(question);
    await page.keyboard.press("Enter");
    await status.getByText(`${shortTokens} tokens`).waitFor();
    using chat = model.chat();
    let expected = "";
    const bias = new Map(Object.keys(endless(model)).map((id) => [Number(id), -Infinity]));
    const options = { maxTokens: shortTokens, temperature: 0, logitBias: bias };
    for await (const piece of chat.send(question, options)) expected += piece.text;
    expect(await answers().first().locator("p").textContent()).toBe(expected);
    expect(await log.locator("b").count()).toBe(0);
  });

  it("shows a failure, and restores the question", async () => {
    await page.route("**/v1/chat/completions", (route) => route.abort());
    await page.keyboard.type("Lost words");
    await page.keyboard.press("Enter");
    await until(async () => (await page.getByLabel(/^Message/).inputValue()) === "Lost words");
    expect(await status.textContent()).toMatch(/fetch/);
    await page.unroute("**/v1/chat/completions");
    await page.getByLabel(/^Message/).fill("");
    // The browser's own message is not one of the page.
    complaints.splice(0, Infinity, ...complaints.filter((text) => !text.includes("ERR_FAILED")));
  });

  it("follows the system's light or dark mode, and is readable in both", async () => {
    const lightness: number[] = [];
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      const pairs = await page.evaluate<{ readonly text: number; readonly behind: number }[]>(luminances);
      expect(pairs).toHaveLength(10);
      for (const { text, behind } of pairs) {
        // WCAG 2, AA.
        expect((Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05)).toBeGreaterThan(4.5);
      }
      lightness.push(pairs[0]?.behind ?? 0);
    }
    expect(lightness[0]).toBeGreaterThan(0.8);
    expect(lightness[1]).toBeLessThan(0.05);
  });

  it("shows the thought of a model that thinks above the answer", async () => {
    const { bytes } = await makeThinkingModel();
    await using thinker = await loadModel(bytes, { threads: 1 });
    const other = await openServer(thinker);
    const tab = await browser.newPage();
    try {
      await tab.goto(other.url);
      await tab.getByRole("textbox", { name: /^Message/ }).fill("Hi");
      await tab.keyboard.press("Enter");
      const article = tab.getByRole("article", { name: "Answer" });
      await article.locator("small").waitFor();
      expect(await article.locator("p").allTextContents()).toEqual(["why", "So."]);
    } finally {
      await tab.close();
      await other.close();
    }
  });
});

/** Runs in the page: controls without a label. */
const namelessControls = `[...document.querySelectorAll("button, input, textarea")]
  .filter((each) => !(each.labels?.[0] ?? each).textContent.trim()).map(({ id }) => id)`;

/** Runs in the page: WCAG relative luminance of texts and of their backgrounds. */
const luminances = `(() => {
  const luminance = (color) => {
    const linear = color.match(/[\\d.]+/g).slice(0, 3).map((text) => {
      const value = Number(text) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const background = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return color.startsWith("rgba(") ? background(element.parentElement) : color;
  };
  return "h1 #model #status label textarea #send article.user article.assistant small summary".split(" ").map((selector) => {
    const element = document.querySelector(selector);
    return { text: luminance(getComputedStyle(element).color), behind: luminance(background(element)) };
  });
})()`;

/** The server with fixed texts, slow enough to be observed. */
async function forPage(server: Server, model: LanguageModel, request: Request): Promise<Response> {
  if (!request.url.endsWith("/chat/completions")) return server.fetch(request);
  const body = (await request.json()) as { readonly messages: readonly { readonly content: string }[] };
  const short = body.messages.at(-1)?.content.includes(shortQuestion) === true;
  const changed = {
    ...body,
    temperature: 0,
    logit_bias: endless(model),
    ...(short ? { max_tokens: shortTokens } : {}),
  };
  const { url, method, headers, signal } = request;
  const response = await server.fetch(
    new Request(url, { method, headers: new Headers(headers), signal, body: JSON.stringify(changed) }),
  );
  const slow = new TransformStream<Uint8Array, Uint8Array>(
    {
      async transform(chunk, controller): Promise<void> {
        await new Promise((resolve) => setTimeout(resolve, 10));
        controller.enqueue(chunk);
      },
    },
    { highWaterMark: 1 },
    { highWaterMark: 0 },
  );
  return new Response(response.body?.pipeThrough(slow), {
    status: response.status,
    headers: response.headers,
  });
}
