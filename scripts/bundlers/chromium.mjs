// Runs a page in Chromium and compares its texts with the expected one.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { accessSync, constants } from "node:fs";
import { chromium } from "playwright-core";

const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };
const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The path of an installed Chromium. Undefined if there is none. */
export function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const paths = (process.env.PATH ?? "")
    .split(":")
    .flatMap((folder) => names.map((name) => join(folder, name)));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Serves a folder, and the model as /model.gguf. Isolated pages may share memory between threads. */
async function serve({ folder, model, isolated, onResult }) {
  const server = createServer((request, response) => {
    void (async () => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      if (isolated) {
        response.setHeader("cross-origin-opener-policy", "same-origin");
        response.setHeader("cross-origin-embedder-policy", "require-corp");
      }
      if (pathname === "/result") {
        let body = "";
        for await (const part of request) body += part;
        onResult(JSON.parse(body));
        response.end();
        return;
      }
      const name = pathname === "/" ? "index.html" : normalize(pathname);
      const bytes = await readFile(pathname === "/model.gguf" ? model : join(folder, name));
      response.setHeader("content-type", types[extname(name)] ?? "application/octet-stream");
      const [, begin, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
      const piece = begin === undefined ? bytes : bytes.subarray(Number(begin), Number(end) + 1);
      response.writeHead(begin === undefined ? 200 : 206, { "content-length": piece.length, etag: '"one"' });
      response.end(request.method === "HEAD" ? undefined : piece);
    })().catch(() => response.writeHead(404).end());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

export async function runInChromium({ folder, model, isolated, expected }) {
  const executablePath = findChromium();
  if (executablePath === undefined)
    return { missing: "NOT TESTED: no Chromium in the PATH and none named by CHROMIUM" };
  let onResult = () => undefined;
  const arrived = new Promise((resolve) => (onResult = resolve));
  const server = await serve({ folder, model, isolated, onResult });
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath, args });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const late = new Promise((resolve) =>
      setTimeout(resolve, 60_000, { error: "the page gave no result in 60 s" }).unref(),
    );
    const result = await Promise.race([arrived, late]);
    if (result.error !== undefined) return { failed: `FAILED: ${result.error}` };
    const different = [result.blob, result.one, result.url].filter(({ text }) => text !== expected);
    if (different.length > 0) return { failed: `DIFFERENT: ${different[0].text}` };
    if (result.blob.threads > 0 !== isolated) return { failed: `FAILED: ${result.blob.threads} threads` };
    return { speed: result.blob.tokensPerSecond?.toFixed(0) };
  } catch (error) {
    return { failed: `FAILED: ${error.message}` };
  } finally {
    await browser.close();
    server.close();
  }
}
