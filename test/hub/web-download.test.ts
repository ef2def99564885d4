import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { createSha256 } from "#dist/hub/sha256.js";
import { downloadPieces, type WebFile } from "#dist/hub/web-download.js";
import type { BlobStore } from "#dist/hub/web-store.js";

const pieceBytes = 1000;
const content = Uint8Array.from({ length: 4500 }, (_, i) => (i * 31) % 251);
const sha256 = createHash("sha256").update(content).digest("hex");

let server: Server | undefined;
afterEach(() => void server?.close());

/** Serves the content, and lists the ranges that were asked for. */
async function serve(options: { readonly ranges?: false } = {}): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  server = createServer((request, response) => {
    const { range = "" } = request.headers;
    asked.push(range);
    const [, begin, end] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    const whole = options.ranges === false || begin === undefined;
    response.writeHead(whole ? 200 : 206);
    response.end(whole ? content : content.subarray(Number(begin), Number(end) + 1));
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/model`, asked };
}

function memoryStore(): BlobStore & { readonly kept: Map<string, Blob> } {
  const kept = new Map<string, Blob>();
  return {
    kept,
    find: async (name) => kept.get(name),
    keep: async (name, blob) => (kept.set(name, blob), blob),
    remove: async (name) => void kept.delete(name),
  };
}

async function bytesOf(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await blob.arrayBuffer());
}

const file = (url: string, checksum: string | undefined = sha256): WebFile => ({
  url,
  size: content.length,
  version: "one",
  sha256: checksum,
});

describe("SHA-256", () => {
  it("equals Node's, however the bytes are split", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), (parts) => {
        const [ours, theirs] = [createSha256(), createHash("sha256")];
        for (const part of parts) {
          ours.update(part);
          theirs.update(part);
        }
        expect(ours.digest()).toBe(theirs.digest("hex"));
      }),
    );
    for (const length of [0, 1, 55, 56, 63, 64, 119, 120, 100_000]) {
      const bytes = new Uint8Array(length).fill(length);
      const ours = createSha256();
      ours.update(bytes);
      expect(ours.digest()).toBe(createHash("sha256").update(bytes).digest("hex"));
    }
  });
});

describe("a download of a browser", () => {
  it("keeps pieces, verifies them once, and reads them without a request", async () => {
    const { url, asked } = await serve();
    const store = memoryStore();
    const loaded: number[] = [];
    const onProgress = ({ loadedBytes }: { readonly loadedBytes: number }): void =>
      void loaded.push(loadedBytes);
    const blob = await downloadPieces(file(url), "model", store, { onProgress }, pieceBytes);
    expect(await bytesOf(blob)).toEqual(content);
    expect(loaded).toEqual([1000, 2000, 3000, 4000, 4500]);
    expect(asked).toHaveLength(5);
    // Bytes that change after they were verified are not seen: each load would read the whole file twice.
    store.kept.set([...store.kept.keys()][0] ?? "", new Blob([new Uint8Array(1000)]));
    await downloadPieces(file(url), "model", store, {}, pieceBytes);
    expect(asked).toHaveLength(5);
  });

  it("continues at the first missing piece, and hashes the earlier ones again", async () => {
    const { url, asked } = await serve();
    const store = memoryStore();
    const controller = new AbortController();
    const onProgress = ({ loadedBytes }: { readonly loadedBytes: number }): void => {
      if (loadedBytes === 2000) controller.abort(new Error("closed"));
    };
    const options = { signal: controller.signal, onProgress };
    await expect(downloadPieces(file(url), "model", store, options, pieceBytes)).rejects.toThrow("closed");
    expect(await bytesOf(await downloadPieces(file(url), "model", store, {}, pieceBytes))).toEqual(content);
    expect(asked).toEqual(
      [0, 1, 2, 3, 4].map((i) => `bytes=${i * 1000}-${Math.min(4500, i * 1000 + 1000) - 1}`),
    );
  });

  it("keeps nothing of a file with a wrong checksum, also if an earlier piece was damaged", async () => {
    const { url, asked } = await serve();
    const store = memoryStore();
    await expect(
      downloadPieces(file(url, "0".repeat(64)), "model", store, {}, pieceBytes),
    ).rejects.toMatchObject({ code: "DOWNLOAD_FAILED", message: expect.stringContaining("checksum") });
    expect(store.kept.size).toBe(0);
    const name = `${encodeURIComponent(url)}.one.0`;
    await store.keep(name, new Blob([new Uint8Array(1000)]));
    await expect(downloadPieces(file(url), "model", store, {}, pieceBytes)).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
    });
    expect(store.kept.size).toBe(0);
    expect(asked).toHaveLength(5 + 4);
  });

  it("asks a server without ranges once", async () => {
    const { url, asked } = await serve({ ranges: false });
    const blob = await downloadPieces(file(url, undefined), "model", memoryStore(), {}, pieceBytes);
    expect(await bytesOf(blob)).toEqual(content);
    expect(asked).toHaveLength(1);
  });
});
