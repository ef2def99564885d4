import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, dirname, join } from "node:path";
import { starterPath } from "./golden-path.js";

/** A server of one page. */
export interface PageServer {
  readonly url: string;
  /** The page's post to /result. */
  readonly result: Promise<unknown>;
  /** Bytes of the model that were read. */
  modelBytes(): number;
  close(): void;
}

/** Serves a page, its bundle, the package's worker and a model. */
export async function servePage(
  script: string,
  { isolated }: { readonly isolated: boolean },
): Promise<PageServer> {
  let modelBytes = 0;
  let finish: (result: unknown) => void;
  const result = new Promise<unknown>((resolve) => (finish = resolve));
  const server = createServer((request, response) => {
    void (async () => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      if (isolated) {
        response.setHeader("cross-origin-opener-policy", "same-origin");
        response.setHeader("cross-origin-embedder-policy", "require-corp");
      }
      if (pathname === "/result") {
        const chunks: Uint8Array[] = [];
        for await (const chunk of request) chunks.push(chunk as Uint8Array);
        response.end();
        finish(JSON.parse(Buffer.concat(chunks).toString()));
        return;
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
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    result,
    modelBytes: () => modelBytes,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
