import { afterEach, describe, expect, it, vi } from "vitest";
import { openBlobStore } from "#dist/hub/web-store.js";

afterEach(() => vi.unstubAllGlobals());

interface Written {
  createWritable?: () => Promise<{ write(blob: Blob): Promise<void>; close(): Promise<void> }>;
  createSyncAccessHandle?: () => Promise<{
    truncate(size: number): void;
    write(bytes: Uint8Array): number;
    close(): void;
  }>;
}

/** A file system as a browser's, in a map. `writers` has the ways to write that the browser knows. */
function stubFileSystem(writers: (save: (part: Blob) => void) => Written): Map<string, Blob> {
  const files = new Map<string, Blob>();
  const folder = {
    getDirectoryHandle: async () => folder,
    async getFileHandle(name: string, { create = false } = {}) {
      if (!files.has(name) && !create) throw new Error("NotFoundError");
      if (!files.has(name)) files.set(name, new Blob([]));
      return { getFile: async () => files.get(name), ...writers((part) => files.set(name, part)) };
    },
    removeEntry: async (name: string) => void files.delete(name),
  };
  vi.stubGlobal("navigator", { storage: { getDirectory: async () => folder } });
  return files;
}

const writable = (save: (part: Blob) => void): Written => ({
  async createWritable() {
    let written = new Blob([]);
    return { write: async (blob) => void (written = blob), close: async () => save(written) };
  },
});
const accessHandle = (save: (part: Blob) => void): Written => ({
  createSyncAccessHandle: async () => ({
    truncate: () => save(new Blob([])),
    write(bytes) {
      save(new Blob([new Uint8Array(bytes)]));
      return bytes.length;
    },
    close: () => undefined,
  }),
});

const blob = new Blob(["a model"]);

describe("the store of a browser", () => {
  it.each([
    ["a stream", writable],
    ["an access handle, as in workers of Safari 18", accessHandle],
  ])("keeps a blob by %s", async (_, writers) => {
    const files = stubFileSystem(writers);
    const store = await openBlobStore();
    expect(await (await store.keep("one", blob)).text()).toBe("a model");
    expect([...files.keys()]).toEqual(["one"]);
    expect(await (await store.find("one"))?.text()).toBe("a model");
    await store.remove("one");
    expect(await store.find("one")).toBeUndefined();
  });

  it("returns the blob itself where the thread cannot write, and leaves no empty file", async () => {
    const files = stubFileSystem(() => ({}));
    const store = await openBlobStore();
    expect(await store.keep("one", blob)).toBe(blob);
    expect(files.size).toBe(0);
    expect(await store.find("one")).toBeUndefined();
  });

  it("returns the blob itself without a file system", async () => {
    vi.stubGlobal("navigator", {});
    const store = await openBlobStore();
    expect(await store.keep("one", blob)).toBe(blob);
  });

  it.each<[string, Written, string]>([
    [
      "a stream",
      {
        createWritable: async () => ({
          write: () => Promise.reject(new Error("QuotaExceededError")),
          close: async () => undefined,
        }),
      },
      "QuotaExceededError",
    ],
    [
      "an access handle that writes a part",
      {
        createSyncAccessHandle: async () => ({
          truncate: () => undefined,
          write: () => 3,
          close: () => undefined,
        }),
      },
      "only 3 of 7 bytes",
    ],
  ])("says so if the browser's disk is full, by %s", async (_, written, message) => {
    stubFileSystem(() => written);
    const store = await openBlobStore();
    await expect(store.keep("one", blob)).rejects.toMatchObject({
      code: "FILE_WRITE",
      message: expect.stringContaining(message),
    });
  });
});
