// Serves this page. It bundles chat.js with Rolldown (npm install --save-dev rolldown).
//
//   node examples/browser/serve.mjs              then open http://127.0.0.1:8080
//   node examples/browser/serve.mjs --isolated   with the two headers that let the page use threads
//   node examples/browser/serve.mjs --port 0     on a free port
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { rolldown } from "rolldown";

const { values } = parseArgs({
  options: { isolated: { type: "boolean" }, port: { type: "string", default: "8080" } },
});
const here = new URL(".", import.meta.url);
const library = new URL(".", import.meta.resolve("bitnet-wasm/package.json"));

const bundle = await rolldown({
  input: fileURLToPath(new URL("chat.js", here)),
  cwd: fileURLToPath(here),
  platform: "browser",
  logLevel: "warn",
});
const { output } = await bundle.generate({ format: "esm", minify: true });
await bundle.close();

/** Each path of the site: its type, and where its content is. */
const site = new Map([
  ["/", ["text/html", new URL("index.html", here)]],
  ["/style.css", ["text/css", new URL("style.css", here)]],
  ["/worker.js", ["text/javascript", new URL("dist/worker-web.js", library)]],
  ["/storyteller.gguf", ["application/octet-stream", new URL("models/storyteller.gguf", library)]],
  ...output.map(({ fileName, code }) => [`/${fileName}`, ["text/javascript", code]]),
]);

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const [type, content] = site.get(pathname) ?? [];
  if (type === undefined) return response.writeHead(404).end();
  response.setHeader("content-type", type);
  if (values.isolated) {
    response.setHeader("cross-origin-opener-policy", "same-origin");
    response.setHeader("cross-origin-embedder-policy", "require-corp");
  }
  if (typeof content === "string") return response.end(content);
  const { size, mtimeMs } = await stat(content);
  // The library downloads a model in pieces.
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  const [start, end] = from === undefined ? [0, size - 1] : [Number(from), Math.min(Number(to), size - 1)];
  response.setHeader("etag", `"${size}-${mtimeMs}"`);
  response.setHeader("content-length", end - start + 1);
  if (from !== undefined) response.setHeader("content-range", `bytes ${start}-${end}/${size}`);
  response.writeHead(from === undefined ? 200 : 206);
  if (request.method === "HEAD") return response.end();
  return createReadStream(content, { start, end }).pipe(response);
});
server.listen(Number(values.port), "127.0.0.1", () =>
  console.log(`http://127.0.0.1:${server.address().port}/`),
);
