// A page in Chromium as a side of the comparison: this library, or wllama. The page is cross-origin isolated,
// so that it may have threads. It gets the model as a `File`.
import { readFile } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, normalize } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { rolldown } from "rolldown";
import { serveMeasurements } from "./messages.mjs";

const { path, page: name, executablePath, wllamaFolder, ...settings } = JSON.parse(process.argv[2]);

async function bundle() {
  const input = fileURLToPath(new URL(`pages/${name}.mjs`, import.meta.url));
  const built = await rolldown({ input, platform: "browser", external: /^\/wllama\//, logLevel: "warn" });
  const { output } = await built.generate({ format: "esm", codeSplitting: false });
  await built.close();
  return output[0].code;
}

const html =
  '<!doctype html><title>Benchmark</title><input type="file"><script type="module" src="/page.js"></script>';
const code = await bundle();
const worker = fileURLToPath(new URL("../../dist/worker-web.js", import.meta.url));

/** The content and the type of a path. */
async function contentOf(pathname) {
  if (pathname === "/") return [html, "text/html"];
  if (pathname === "/page.js") return [code, "text/javascript"];
  if (pathname === "/worker.js") return [await readFile(worker), "text/javascript"];
  const file = join(wllamaFolder ?? "", normalize(pathname.replace("/wllama/", "/")));
  return [await readFile(file), file.endsWith(".wasm") ? "application/wasm" : "text/javascript"];
}

const server = createServer((request, response) => {
  contentOf(new URL(request.url ?? "/", "http://localhost").pathname).then(
    ([content, type]) => {
      response.setHeader("Content-Type", type);
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
      response.end(content);
    },
    () => response.writeHead(404).end(),
  );
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const browserServer = await chromium.launchServer({
  executablePath,
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
const browser = await chromium.connect(browserServer.wsEndpoint());
const page = await browser.newPage();
page.setDefaultTimeout(0);
page.on("pageerror", (error) => console.error(error));
await page.goto(`http://127.0.0.1:${server.address().port}/`);
await page.setInputFiles("input", path);

/** Fields of proc(5), after the program's name in brackets. Undefined for a process that has ended. */
function statOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ");
  } catch {
    return undefined;
  }
}

/** Milliseconds of processors that the browser's processes have used. 0 where Linux does not tell. */
function browserMilliseconds() {
  let pids = [];
  try {
    pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  } catch {
    return 0;
  }
  const stats = new Map(pids.flatMap((pid) => (statOf(pid) ? [[pid, statOf(pid)]] : [])));
  const root = String(browserServer.process().pid);
  const isInside = (pid) => pid === root || (stats.has(pid) && isInside(stats.get(pid)[1]));
  const ticks = [...stats.keys()]
    .filter(isInside)
    .reduce((sum, pid) => sum + Number(stats.get(pid)[11]) + Number(stats.get(pid)[12]), 0);
  return ticks * 10;
}

const ready = await page.evaluate(
  (given) => globalThis.start(document.querySelector("input").files[0], given),
  settings,
);
const own = {
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000 + browserMilliseconds();
  },
  // Several processes share the model's memory.
  peak: () => undefined,
};
await serveMeasurements(
  {
    ...ready,
    version: `${name === "wllama" ? `wllama ${settings.version} in ` : ""}Chromium ${browser.version()}`,
  },
  (order) => page.evaluate((given) => globalThis.measure(given), order),
  async () => {
    await browser.close();
    await browserServer.close();
    server.close();
  },
  own,
);
