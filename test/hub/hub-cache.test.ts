import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { link, mkdir, readFile, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { executeRemoval, listCached, planRemoval } from "#dist/hub/index.js";
import { seekFileLock } from "#dist/platform/node-lock-file.js";
import { linkFile } from "#dist/platform/node-folders.js";
import { commitOf, repoOf, sha256 } from "../support/hub-server.js";
import { type HubWorkbench, noise, openHubWorkbench, quickTiming } from "../support/hub-workbench.js";

let bench: HubWorkbench;
beforeAll(async () => {
  bench = await openHubWorkbench();
});
afterEach(() => bench.reset());
afterAll(() => bench.close());

const model = noise(400_000);
const other = noise(300_000, 2);
const repoPath = (...parts: string[]): string => join(bench.folder, "hub", "models--owner--repo", ...parts);
const listed = (): ReturnType<typeof listCached> => listCached(bench.environment);

async function remove(name: string): Promise<number> {
  const removal = await planRemoval(name, bench.environment);
  await executeRemoval(removal);
  return removal.freedBytes;
}

describe("a repository without a file named", () => {
  it.each<[string, string[], string]>([
    ["its only GGUF file", ["README.md", "a.gguf", "model.safetensors", "config.json"], "a.gguf"],
    ["its only GGUF file in I2_S", ["m-q8_0.gguf", "m-f16.gguf", "m-I2_S.gguf"], "m-I2_S.gguf"],
    [
      "one in a folder",
      ["gguf/ggml-model-i2_s.gguf", "gguf/ggml-model-f16.gguf"],
      "gguf/ggml-model-i2_s.gguf",
    ],
  ])("is %s", async (_, paths, chosen) => {
    bench.server.repos.set("owner/repo", repoOf(Object.fromEntries(paths.map((path) => [path, model]))));
    const fetched = await bench.fetch("hf:owner/repo");
    expect(fetched).toMatchObject({ name: `hf:owner/repo/${chosen}`, files: [{ file: chosen }] });
    expect(fetched.path).toBe(repoPath("snapshots", fetched.commit, ...chosen.split("/")));
    bench.server.forget();
    expect((await bench.fetch("hf:owner/repo")).path).toBe(fetched.path);
    expect(bench.server.requests).toEqual([]);
  });

  it.each<[string, string[], string, RegExp]>([
    [
      "several GGUF files",
      ["a.gguf", "b/c.gguf"],
      "INVALID_ARGUMENT",
      /has 2 GGUF files: name one of hf:owner\/repo\/a\.gguf \(1 MB\), hf:owner\/repo\/b\/c\.gguf \(1 MB\)$/,
    ],
    ["several in I2_S", ["a-i2_s.gguf", "b-i2_s.gguf"], "INVALID_ARGUMENT", /has 2 GGUF files/],
    [
      "no model",
      ["README.md", "pytorch_model.bin"],
      "UNSUPPORTED_FILE",
      /neither a GGUF file nor a checkpoint/,
    ],
    ["weights without config", ["model.safetensors"], "UNSUPPORTED_FILE", /neither/],
  ])("that has %s is refused with a reason", async (_, paths, code, message) => {
    bench.server.repos.set("owner/repo", repoOf(Object.fromEntries(paths.map((path) => [path, model]))));
    await expect(bench.fetch("hf:owner/repo")).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it.each(["", "/m-00001-of-00002.gguf", "/m-00002-of-00002.gguf"])(
    "and %j of a split model are all its parts, one model in the cache",
    async (file) => {
      const paths = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"];
      bench.server.repos.set("owner/repo", repoOf(Object.fromEntries(paths.map((path) => [path, model]))));
      const fetched = await bench.fetch(`hf:owner/repo${file}`);
      expect(fetched).toMatchObject({
        name: "hf:owner/repo/m-00001-of-00002.gguf",
        files: paths.map((path) => ({ file: path })),
      });
      expect(fetched.path).toBe(repoPath("snapshots", fetched.commit, paths[0] ?? ""));
      bench.server.forget();
      expect((await bench.fetch(`hf:owner/repo${file}`)).path).toBe(fetched.path);
      expect(bench.server.requests).toEqual([]);
      expect(await listed()).toMatchObject([
        { name: fetched.name, bytes: 2 * model.length, unfinished: false },
      ]);
      await rm(repoPath("snapshots", fetched.commit, paths[1] ?? ""));
      expect(await listed()).toMatchObject([{ unfinished: true }]);
      expect((await bench.fetch(`hf:owner/repo${file}`)).files).toHaveLength(2);
      expect(await remove(`hf:owner/repo${file}`)).toBeGreaterThanOrEqual(model.length);
      expect(await listed()).toEqual([]);
    },
  );

  it("is its checkpoint, of which all that a model needs is downloaded, and nothing else", async () => {
    const index = JSON.stringify({
      weight_map: { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" },
    });
    const needed = {
      "config.json": '{"model_type":"bitnet"}',
      "generation_config.json": "{}",
      "tokenizer.json": "{}",
      "tokenizer_config.json": "{}",
      "chat_template.jinja": "{{ x }}",
      "model.safetensors.index.json": index,
      "model-00001-of-00002.safetensors": model,
      "model-00002-of-00002.safetensors": other,
    };
    const files = { ...needed, "README.md": "#", "original/consolidated.safetensors": model, "t.py": "x" };
    bench.server.repos.set("owner/repo", repoOf(files));
    const progress: number[] = [];
    const fetched = await bench.fetch("hf:owner/repo", {
      onProgress: ({ loadedBytes, totalBytes }) => progress.push(loadedBytes / totalBytes),
    });
    expect(fetched.path).toBe(repoPath("snapshots", fetched.commit));
    expect((await readdir(fetched.path)).sort()).toEqual(Object.keys(needed).sort());
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);
    expect(
      (await listed()).map(({ name, file, bytes, unfinished }) => ({ name, file, bytes, unfinished })),
    ).toEqual([{ name: "hf:owner/repo", file: null, bytes: fetched.bytes, unfinished: false }]);

    bench.server.forget();
    expect(await bench.fetch("hf:owner/repo")).toMatchObject({ path: fetched.path, transferredBytes: 0 });
    expect(bench.server.requests).toEqual([]);

    // A folder with a missing part is incomplete. The library downloads the part.
    await rm(join(fetched.path, "model-00002-of-00002.safetensors"));
    expect((await listed())[0]).toMatchObject({ unfinished: true });
    const again = await bench.fetch("hf:owner/repo");
    expect(again).toMatchObject({ path: fetched.path, transferredBytes: 0 });
    expect(sha256(await readFile(join(fetched.path, "model-00002-of-00002.safetensors")))).toBe(
      sha256(other),
    );
  });
});

describe("two downloads of one file at once", () => {
  it("in one process: one downloads, the other waits for it", async () => {
    bench.server.repos.set("owner/repo", repoOf({ "m.gguf": model }));
    bench.server.next("blob", (_, right) => right({ pauseMs: 20 }));
    const fetched = await Promise.all([1, 2, 3].map(() => bench.fetch("hf:owner/repo/m.gguf")));
    expect(fetched.map(({ transferredBytes }) => transferredBytes).sort()).toEqual([0, 0, model.length]);
    expect(sha256(await readFile(fetched[0]?.path ?? ""))).toBe(sha256(model));
    expect(await bench.blobNames("owner/repo")).toEqual([sha256(model)]);
  });

  it("a waiting download takes over when the other is stopped", async () => {
    bench.server.repos.set("owner/repo", repoOf({ "m.gguf": model }));
    bench.server.next("blob", (_, right) => right({ pauseMs: 30 }));
    const controller = new AbortController();
    const first = bench.fetch("hf:owner/repo/m.gguf", {
      signal: controller.signal,
      onProgress: ({ loadedBytes }) => {
        if (loadedBytes >= 130_000) controller.abort();
      },
    });
    const second = bench.fetch("hf:owner/repo/m.gguf");
    const [stopped, finished] = await Promise.allSettled([first, second]);
    // The first one had the lock, and the other one stopped it anyway.
    const path = finished.status === "fulfilled" ? finished.value.path : "";
    expect(stopped.status === "rejected" || finished.status === "fulfilled").toBe(true);
    expect(sha256(await readFile(path))).toBe(sha256(model));
    expect(bench.server.bodyBytes()).toBeLessThan(2 * model.length);
  });

  const impatient = { ...quickTiming, lock: { ...quickTiming.lock, staleMs: 600 } };
  const lock = (): string => join(bench.blobFolder("owner/repo"), `${sha256(model)}.bitnet-lock`);
  async function leaveLock(text: string): Promise<void> {
    bench.server.repos.set("owner/repo", repoOf({ "m.gguf": model }));
    await mkdir(bench.blobFolder("owner/repo"), { recursive: true });
    await writeFile(lock(), text);
  }

  it("a lock that a killed process left is taken over", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    await leaveLock(JSON.stringify({ token: "x", host: hostname(), pid: child.pid }));
    const { path } = await bench.fetch("hf:owner/repo/m.gguf");
    expect(sha256(await readFile(path))).toBe(sha256(model));
    expect(existsSync(lock())).toBe(false);
  });

  it.each([
    ["of another machine that is silent", JSON.stringify({ token: "x", host: "elsewhere", pid: 1 })],
    ["without text", ""],
    ["with any text", '{"pid":[]}'],
  ])("a lock %s is taken over after a longer while", async (_, text) => {
    await leaveLock(text);
    const { path } = await bench.fetch("hf:owner/repo/m.gguf", { timing: impatient });
    expect(sha256(await readFile(path))).toBe(sha256(model));
    expect(await bench.blobNames("owner/repo")).toEqual([sha256(model)]);
  });

  it("a lock that cannot be made is a coded failure", async () => {
    const seeker = seekFileLock(join(bench.folder, "no", "such", "folder", "lock"), quickTiming.lock);
    await expect(seeker.tryAcquire()).rejects.toMatchObject({ code: "FILE_WRITE" });
  });

  it("a lock belongs to its holder until the holder releases it", async () => {
    await mkdir(bench.folder, { recursive: true });
    const path = join(bench.folder, "lock");
    const first = await seekFileLock(path, quickTiming.lock).tryAcquire();
    expect(await seekFileLock(path, quickTiming.lock).tryAcquire()).toBeUndefined();
    await first?.release();
    const second = await seekFileLock(path, quickTiming.lock).tryAcquire();
    await first?.release();
    expect(existsSync(path)).toBe(true);
    // Another process took the lock meanwhile.
    await writeFile(path, "of another");
    await second?.release();
    expect(await readFile(path, "utf8")).toBe("of another");
  });

  it("a lock of a live holder is respected, and removal is refused", async () => {
    const text = JSON.stringify({ token: "x", host: hostname(), pid: process.pid });
    await leaveLock(text);
    const beat = setInterval(() => void utimes(lock(), new Date(), new Date()), 20);
    try {
      // Longer than the time after which a silent lock counts as stale.
      const signal = AbortSignal.timeout(1200);
      await expect(bench.fetch("hf:owner/repo/m.gguf", { signal, timing: impatient })).rejects.toMatchObject({
        name: "TimeoutError",
      });
      expect(await readFile(lock(), "utf8")).toBe(text);
      expect(bench.server.bodyBytes()).toBe(0);
      await expect(planRemoval("hf:owner/repo", bench.environment)).rejects.toMatchObject({
        code: "FILE_WRITE",
        message: expect.stringMatching(/process \d+ is downloading it/),
      });
    } finally {
      clearInterval(beat);
    }
  });
});

describe("URLs", () => {
  it("are downloaded with the same care: resumed, refreshed, listed, removed", async () => {
    bench.server.plainFiles.set("a model.gguf", model);
    const url = `${bench.server.cdn}/files/a%20model.gguf?key=secret`;
    bench.server.next("file", (_, right) => right());
    bench.server.next("file", (_, right) => right({ cutAfter: 200_000 }));
    const fetched = await bench.fetch(url);
    expect(fetched.path).toMatch(/a model\.gguf$/);
    expect(fetched.name).not.toContain("secret");
    expect(sha256(await readFile(fetched.path))).toBe(sha256(model));
    const last = bench.server.requests.at(-1);
    expect(last?.range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(last?.ifRange).toBe(`"${sha256(model).slice(0, 8)}"`);

    bench.server.forget();
    expect((await bench.fetch(url)).path).toBe(fetched.path);
    expect(bench.server.requests).toEqual([]);

    bench.server.plainFiles.set("a model.gguf", other);
    const changed = await bench.fetch(url, { refresh: true });
    expect(sha256(await readFile(changed.path))).toBe(sha256(other));
    const models = await listed();
    expect(models.map(({ name, bytes }) => [name, bytes])).toEqual([
      [`${bench.server.cdn}/files/a%20model.gguf?…`, other.length],
    ]);
    expect(JSON.stringify(models)).not.toContain("secret");
    expect(await remove(url)).toBeGreaterThanOrEqual(other.length);
    expect(await listed()).toEqual([]);
  });

  it("leave a listable and removable part when they are interrupted", async () => {
    bench.server.plainFiles.set("m.gguf", model);
    const url = `${bench.server.cdn}/files/m.gguf`;
    bench.server.next("file", (_, right) => right());
    bench.server.next("file", (_, right) => right({ pauseMs: 10 }));
    const controller = new AbortController();
    const onProgress = ({ loadedBytes }: { loadedBytes: number }): void => {
      if (loadedBytes > 100_000) controller.abort();
    };
    await expect(bench.fetch(url, { signal: controller.signal, onProgress })).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(await listed()).toMatchObject([{ name: url, unfinished: true, repo: null }]);
    await remove(url);
    expect(await listed()).toEqual([]);
  });

  it("whose file changes during the download give the new file", async () => {
    bench.server.plainFiles.set("m.gguf", model);
    bench.server.next("file", (_, right) => right());
    bench.server.next("file", async (_, right) => {
      await right({ cutAfter: 200_000 });
      bench.server.plainFiles.set("m.gguf", other);
    });
    const { path } = await bench.fetch(`${bench.server.cdn}/files/m.gguf`);
    expect(sha256(await readFile(path))).toBe(sha256(other));
  });

  it("of the hub's own pages and files are names on the hub", async () => {
    bench.server.repos.set("owner/repo", repoOf({ "m.gguf": model }));
    for (const view of ["resolve/main/m.gguf", "blob/main/m.gguf?download=true", ""]) {
      const { name } = await bench.fetch(`${bench.server.endpoint}/owner/repo/${view}`);
      expect(name).toBe("hf:owner/repo/m.gguf");
    }
    expect(bench.server.requests.length).toBeLessThan(4);
  });

  it.each<[string, (response: ServerResponse) => unknown, string, RegExp]>([
    [
      "a web page",
      (response) => response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<"),
      "DOWNLOAD_FAILED",
      /web page/,
    ],
    ["no file", (response) => response.writeHead(404).end(), "FILE_NOT_FOUND", /no such file/],
    ["a login", (response) => response.writeHead(401).end(), "ACCESS_DENIED", /login/],
    [
      "an expired signature",
      (response) => response.writeHead(403).end(),
      "ACCESS_DENIED",
      /signed URL may have expired/,
    ],
  ])("that are %s say so", async (_, mishap, code, message) => {
    bench.server.next("file", mishap);
    await expect(bench.fetch(`${bench.server.cdn}/files/m.gguf`)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe("listCached", () => {
  it("lists nothing without a cache", async () => {
    expect(await listed()).toEqual([]);
  });

  it("lists each model with the name that loads it", async () => {
    bench.server.repos.set("owner/repo", repoOf({ "a.gguf": model, "b/c.gguf": other }));
    const old = commitOf({ "a.gguf": other });
    bench.server.repos.get("owner/repo")?.revisions.set("v1/beta", old);
    const names = ["hf:owner/repo/a.gguf", "hf:owner/repo/b/c.gguf", "hf:owner/repo/a.gguf@v1/beta"];
    for (const name of names) await bench.fetch(name);
    const models = await listed();
    expect(models.map(({ name }) => name).sort()).toEqual([...names].sort());
    for (const { name, path, bytes, lastUsed, unfinished, repo } of models) {
      expect(await bench.fetch(name)).toMatchObject({ path, bytes });
      expect(Date.now() - Date.parse(lastUsed ?? "")).toBeLessThan(60_000);
      expect([unfinished, repo]).toEqual([false, "owner/repo"]);
    }
    // A commit without a branch is named by its hash.
    bench.server.repos.get("owner/repo")?.revisions.set("v1/beta", commitOf({ "a.gguf": model, x: "y" }));
    await bench.fetch("hf:owner/repo/a.gguf@v1/beta", { refresh: true });
    expect((await listed()).map(({ name }) => name)).toContain(`hf:owner/repo/a.gguf@${old.sha}`);
  });

  it("lists the received part of an unfinished download", async () => {
    bench.server.repos.set("owner/repo", repoOf({ "m.gguf": model }));
    const controller = new AbortController();
    bench.server.next("blob", (_, right) => right({ pauseMs: 10 }));
    const onProgress = ({ loadedBytes }: { loadedBytes: number }): void => {
      if (loadedBytes > 100_000) controller.abort();
    };
    await bench
      .fetch("hf:owner/repo/m.gguf", { signal: controller.signal, onProgress })
      .catch(() => undefined);
    const [unfinished] = await listed();
    expect(unfinished).toMatchObject({ name: "hf:owner/repo", unfinished: true, file: null });
    expect(unfinished?.bytes).toBeGreaterThan(100_000);
    expect(await remove("hf:owner/repo")).toBe(unfinished?.bytes);
    expect(await listed()).toEqual([]);
  });
});

describe("removal", () => {
  it("of a file removes its bytes, unless another revision has them too", async () => {
    bench.server.repos.set("owner/repo", repoOf({ "a.gguf": model, "b.gguf": other }));
    bench.server.repos.get("owner/repo")?.revisions.set("v2", commitOf({ "a.gguf": model, new: "file" }));
    await bench.fetch("hf:owner/repo/a.gguf");
    await bench.fetch("hf:owner/repo/b.gguf");
    const { path } = await bench.fetch("hf:owner/repo/a.gguf@v2");
    expect(await remove("hf:owner/repo/a.gguf@main")).toBe(0);
    expect(sha256(await readFile(path))).toBe(sha256(model));
    expect((await listed()).map(({ name }) => name).sort()).toEqual([
      "hf:owner/repo/a.gguf@v2",
      "hf:owner/repo/b.gguf",
    ]);
    // Includes the reference to a commit without files.
    expect(await remove("hf:owner/repo/a.gguf")).toBe(model.length + 40);
    expect(existsSync(repoPath("refs", "v2"))).toBe(false);
    expect((await listed()).map(({ name }) => name)).toEqual(["hf:owner/repo/b.gguf"]);
    expect(await remove("hf:owner/repo/b.gguf")).toBeGreaterThanOrEqual(other.length);
    expect(existsSync(repoPath())).toBe(false);
  });

  it("of a revision leaves the others; of a repository leaves nothing", async () => {
    bench.server.repos.set("owner/repo", repoOf({ "a.gguf": model }));
    bench.server.repos.get("owner/repo")?.revisions.set("v2", commitOf({ "a.gguf": other }));
    await bench.fetch("hf:owner/repo/a.gguf");
    await bench.fetch("hf:owner/repo/a.gguf@v2");
    expect(await remove("hf:owner/repo@v2")).toBeGreaterThanOrEqual(other.length);
    expect((await listed()).map(({ name }) => name)).toEqual(["hf:owner/repo/a.gguf"]);
    await bench.fetch("hf:owner/repo/a.gguf@v2");
    await remove("hf:owner/repo");
    expect(existsSync(repoPath())).toBe(false);
  });

  it("reports if there is nothing to remove", async () => {
    bench.server.repos.set("owner/repo", repoOf({ "a.gguf": model }));
    await bench.fetch("hf:owner/repo/a.gguf");
    for (const name of [
      "hf:owner/other",
      "hf:owner/repo/b.gguf",
      "hf:owner/repo@v9",
      "https://example.com/m.gguf",
    ]) {
      await expect(remove(name)).rejects.toMatchObject({
        code: "FILE_NOT_FOUND",
        message: expect.stringMatching(/it is not in ".*bitnet list/),
      });
    }
    for (const name of ["hf:owner/repo/../../x", "hf:../repo", "hf:owner/..", "hf:owner/repo@../main"]) {
      await expect(remove(name)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    expect((await listed()).length).toBe(1);
  });

  it.skipIf(process.platform === "win32")(
    "never leaves the repository's own folder, for any links",
    async () => {
      const outside = join(bench.folder, "outside");
      await mkdir(join(outside, "snapshots", "a".repeat(40)), { recursive: true });
      await writeFile(join(outside, "precious.gguf"), model);
      await writeFile(join(outside, "snapshots", "a".repeat(40), "m.gguf"), model);
      // A repository that is a link.
      await mkdir(join(bench.folder, "hub"), { recursive: true });
      await symlink(outside, join(bench.folder, "hub", "models--owner--linked"));
      await expect(remove("hf:owner/linked")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
      // Snapshots, blobs and files that are links to other folders.
      const snapshot = repoPath("snapshots", "b".repeat(40));
      await mkdir(snapshot, { recursive: true });
      await symlink(join(outside, "precious.gguf"), join(snapshot, "m.gguf"));
      await symlink(outside, join(snapshot, "folder"));
      await symlink(outside, repoPath("blobs"));
      await symlink(join(outside, "snapshots", "a".repeat(40)), repoPath("snapshots", "a".repeat(40)));
      await mkdir(repoPath("snapshots", "c".repeat(40)));
      await writeFile(repoPath("snapshots", "c".repeat(40), "other.gguf"), "x");
      expect(await remove("hf:owner/repo/m.gguf")).toBe(0);
      expect(existsSync(join(snapshot, "m.gguf"))).toBe(false);
      await remove("hf:owner/repo");
      expect(existsSync(repoPath())).toBe(false);
      // A folder of snapshots that is a link.
      await mkdir(repoPath());
      await symlink(join(outside, "snapshots"), repoPath("snapshots"));
      await expect(remove("hf:owner/repo/m.gguf")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
      await expect(remove(`hf:owner/repo@${"a".repeat(40)}`)).rejects.toMatchObject({
        code: "FILE_NOT_FOUND",
      });
      expect(sha256(await readFile(join(outside, "precious.gguf")))).toBe(sha256(model));
      expect(sha256(await readFile(join(outside, "snapshots", "a".repeat(40), "m.gguf")))).toBe(
        sha256(model),
      );
    },
  );
});

describe("a host without symbolic links", () => {
  it("has the same files by hard links, or moved, which are found, listed and removed all the same", async () => {
    const commit = "c".repeat(40);
    const version = sha256(model);
    for (const how of ["hard link", "moved"]) {
      const blob = repoPath("blobs", version);
      const named = repoPath("snapshots", commit, "m.gguf");
      await mkdir(repoPath("blobs"), { recursive: true });
      await mkdir(repoPath("snapshots", commit), { recursive: true });
      await mkdir(repoPath("refs"), { recursive: true });
      await writeFile(repoPath("refs", "main"), commit);
      await writeFile(how === "moved" ? named : blob, model);
      if (how === "hard link") await link(blob, named);
      await writeFile(repoPath("snapshots", commit, "keep.gguf"), other);
      expect(await bench.fetch("hf:owner/repo/m.gguf")).toMatchObject({ path: named });
      expect((await listed()).length).toBe(2);
      expect(await remove("hf:owner/repo/m.gguf")).toBe(model.length);
      expect(await bench.blobNames("owner/repo")).toEqual([]);
      await rm(repoPath(), { recursive: true });
    }
  });

  it("linkFile makes a link that survives a move of the cache, and replaces the old file", async () => {
    await mkdir(join(bench.folder, "a"), { recursive: true });
    await writeFile(join(bench.folder, "a", "blob"), "bytes");
    const name = join(bench.folder, "b", "c", "name");
    await linkFile(join(bench.folder, "a", "blob"), name);
    await linkFile(join(bench.folder, "a", "blob"), name);
    expect(await readFile(name, "utf8")).toBe("bytes");
    expect(await readdir(join(bench.folder, "b", "c"))).toEqual(["name"]);
  });
});
