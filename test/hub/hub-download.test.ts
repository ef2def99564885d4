import type { ServerResponse } from "node:http";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { commitOf, repoOf, sha256 } from "../support/hub-server.js";
import {
  benchModel as model,
  benchName as name,
  benchSum as sum,
  failure,
  type HubWorkbench,
  noise,
  openHubWorkbench,
  quickTiming,
} from "../support/hub-workbench.js";

let bench: HubWorkbench;
beforeAll(async () => {
  bench = await openHubWorkbench();
});
afterEach(() => bench.reset());
afterAll(() => bench.close());

describe("fetchModel", () => {
  it("downloads a file into the layout of huggingface_hub, and reports progress", async () => {
    bench.serveModel();
    const progress: number[] = [];
    const fetched = await bench.fetch(name, {
      onProgress: ({ loadedBytes, totalBytes }) => {
        expect(totalBytes).toBe(model.length);
        progress.push(loadedBytes);
      },
    });
    const { sha } = commitOf({ "folder/model.gguf": model, "README.md": "# Model" });
    const repo = join(bench.folder, "hub", "models--owner--repo");
    expect(fetched).toEqual({
      name,
      path: join(repo, "snapshots", sha, "folder", "model.gguf"),
      commit: sha,
      bytes: model.length,
      transferredBytes: model.length,
      files: [{ file: "folder/model.gguf", path: fetched.path, bytes: model.length }],
    });
    await bench.expectModel(fetched.path);
    expect(await readFile(join(repo, "refs", "main"), "utf8")).toBe(sha);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect([progress[0], progress.at(-1)]).toEqual([0, model.length]);
    expect(progress.length).toBeGreaterThan(3);
  });

  it("sends no request for a cached file", async () => {
    bench.serveModel();
    const { path, commit } = await bench.fetch(name);
    bench.server.forget();
    const again = await bench.fetch(name);
    expect(again).toMatchObject({ name, path, commit, transferredBytes: 0, bytes: model.length });
    // A whole repository also works there, and so does a commit by its hash.
    expect(await bench.fetch("hf:owner/repo")).toMatchObject({ name, path });
    expect(await bench.fetch(`hf:owner/repo@${commit}`)).toMatchObject({ path });
    expect(await bench.fetch(name, { environment: { HF_HUB_OFFLINE: "1" } })).toMatchObject({ path });
    expect(bench.server.requests).toEqual([]);
  });

  it("notes when a cached model was used", async () => {
    bench.serveModel();
    const { path } = await bench.fetch(name);
    const before = await stat(path);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await bench.fetch(name);
    const after = await stat(path);
    expect(after.atimeMs).toBeGreaterThan(before.atimeMs);
    // Hosts round the time to milliseconds.
    expect(Math.abs(after.mtimeMs - before.mtimeMs)).toBeLessThan(1);
  });

  it("refreshes: without a change by one request and no bytes, with one by the new file", async () => {
    bench.serveModel();
    const first = await bench.fetch(name);
    bench.server.forget();
    const same = await bench.fetch(name, { refresh: true });
    expect(same).toMatchObject({ path: first.path, transferredBytes: 0 });
    expect(bench.server.requests.map(({ method }) => method)).toEqual(["HEAD"]);

    const changed = noise(500_000, 2);
    bench.server.repos.set("owner/repo", repoOf({ "folder/model.gguf": changed }));
    // Without a refresh, the name keeps its meaning.
    expect((await bench.fetch(name)).path).toBe(first.path);
    const second = await bench.fetch(name, { refresh: true });
    expect(second).toMatchObject({ transferredBytes: changed.length });
    expect(second.commit).not.toBe(first.commit);
    expect(sha256(await readFile(second.path))).toBe(sha256(changed));
    expect((await bench.fetch(name)).path).toBe(second.path);
    // The old commit is still available by its hash.
    expect((await bench.fetch(`${name}@${first.commit}`)).path).toBe(first.path);
  });

  it("keeps the old file of a name until the new file is complete", async () => {
    bench.serveModel();
    const first = await bench.fetch(name);
    bench.server.repos.set("owner/repo", repoOf({ "folder/model.gguf": noise(500_000, 2) }));
    bench.server.next("blob", (_, right) => right({ bytes: (bytes) => bytes.map((byte) => byte ^ 1) }));
    await failure(bench.fetch(name, { refresh: true }));
    expect((await bench.fetch(name)).path).toBe(first.path);
  });

  it("does not download a file that another revision has", async () => {
    bench.serveModel();
    const files = { "folder/model.gguf": model, "README.md": "another readme" };
    bench.server.repos.get("owner/repo")?.revisions.set("refs/pr/1", commitOf(files));
    const first = await bench.fetch(name);
    const second = await bench.fetch(`${name}@refs/pr/1`);
    expect(second.transferredBytes).toBe(0);
    expect(second.path).not.toBe(first.path);
    await bench.expectModel(second.path);
    expect(second.name).toBe(`${name}@refs/pr/1`);
  });

  it("replaces a blob of another length", async () => {
    bench.serveModel();
    const { path } = await bench.fetch(name);
    await writeFile(join(bench.blobFolder("owner/repo"), sum), model.subarray(0, 1234));
    const again = await bench.fetch(name, { refresh: true });
    expect(again.transferredBytes).toBe(model.length);
    await bench.expectModel(path);
  });
});

describe("a connection that breaks", () => {
  it("resumes, several times in one download", async () => {
    bench.serveModel();
    for (const cutAfter of [100_000, 300_000, 1, 250_000]) {
      bench.server.next("blob", (_, right) => right({ cutAfter }));
    }
    const { path, transferredBytes } = await bench.fetch(name);
    await bench.expectModel(path);
    expect(transferredBytes).toBe(model.length);
    const blobs = bench.server.requests.filter(({ kind }) => kind === "blob");
    expect(blobs.length).toBeGreaterThanOrEqual(4);
    expect(blobs[0]?.range).toBeUndefined();
    for (const { range } of blobs.slice(1)) expect(range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it("fails after tries without a new byte, and the next run resumes it", async () => {
    bench.serveModel();
    bench.server.next("blob", (_, right) => right({ cutAfter: 400_000 }));
    bench.server.next("blob", (response) => response.destroy(), 100);
    const error = await failure(bench.fetch(name));
    expect(error.code).toBe("DOWNLOAD_FAILED");
    expect(error.message).toMatch(
      /^Cannot download "hf:owner\/repo\/folder\/model\.gguf": no connection to 127/,
    );
    expect(await bench.blobNames("owner/repo")).toEqual([`${sum}.bitnet-partial`]);
    const { size } = await stat(join(bench.blobFolder("owner/repo"), `${sum}.bitnet-partial`));
    expect(size).toBeGreaterThan(0);

    bench.server.forget();
    const progress: number[] = [];
    const fetched = await bench.fetch(name, {
      onProgress: ({ loadedBytes }) => progress.push(loadedBytes),
    });
    await bench.expectModel(fetched.path);
    expect(fetched.transferredBytes).toBe(model.length - size);
    expect(progress[0]).toBe(size);
    expect(bench.server.bodyBytes()).toBe(model.length - size);
  });

  it("continues after a body that is shorter than announced", async () => {
    bench.serveModel();
    bench.server.next("blob", (_, right) =>
      right({ bytes: (bytes) => bytes.subarray(0, 600_000), headers: { "content-length": "600000" } }),
    );
    const { path } = await bench.fetch(name);
    await bench.expectModel(path);
    expect(bench.server.requests.at(-1)?.range).toBe("bytes=600000-");
  });

  it("starts again if the server has no ranges", async () => {
    bench.serveModel();
    bench.server.next("blob", (_, right) => right({ cutAfter: 500_000 }));
    bench.server.next("blob", (_, right) => right({ ignoreRange: true }));
    const { path, transferredBytes } = await bench.fetch(name);
    await bench.expectModel(path);
    expect(transferredBytes).toBeGreaterThan(model.length);
  });

  it("fails if a server without ranges breaks at the same offset each time", async () => {
    bench.serveModel();
    bench.server.next("blob", (_, right) => right({ ignoreRange: true, cutAfter: 300_000 }), 1000);
    expect((await failure(bench.fetch(name))).code).toBe("DOWNLOAD_FAILED");
    const blobs = bench.server.requests.filter(({ kind }) => kind === "blob").length;
    expect(blobs).toBeLessThan(2 * quickTiming.downloadTries + 2);
  });

  it("accepts only the requested bytes", async () => {
    bench.serveModel();
    bench.server.next("blob", (_, right) => right({ cutAfter: 500_000 }));
    bench.server.next("blob", (_, right) =>
      right({ headers: { "content-range": `bytes 1-${model.length - 1}/${model.length}` } }),
    );
    await bench.expectModel((await bench.fetch(name)).path);
  });

  it("counts silence as a broken connection", async () => {
    bench.serveModel();
    bench.server.next("blob", () => undefined);
    bench.server.next("blob", (response) => response.writeHead(200).write(model.subarray(0, 4)));
    const { path } = await bench.fetch(name, { timing: { ...quickTiming, silenceMs: 300 } });
    await bench.expectModel(path);
  });

  it("does not break the listing of files", async () => {
    bench.serveModel();
    bench.server.next("info", (response) => response.destroy());
    bench.server.next("tree", (response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": 100 }).write("[");
      setTimeout(() => response.destroy(), 10);
    });
    await bench.expectModel((await bench.fetch("hf:owner/repo")).path);
  });
});

describe("a partial file of an earlier run", () => {
  const partial = (): string => join(bench.blobFolder("owner/repo"), `${sum}.bitnet-partial`);
  async function begin(bytes: Uint8Array): Promise<void> {
    bench.serveModel();
    await bench.fetch(name);
    await rm(join(bench.folder, "hub", "models--owner--repo", "snapshots"), { recursive: true });
    await rm(join(bench.blobFolder("owner/repo"), sum));
    await writeFile(partial(), bytes);
    bench.server.forget();
  }

  it("that is whole is checked and used", async () => {
    await begin(model);
    const { path, transferredBytes } = await bench.fetch(name);
    expect(transferredBytes).toBe(0);
    expect(bench.server.bodyBytes()).toBe(0);
    await bench.expectModel(path);
  });

  it("that is longer than the file is discarded", async () => {
    await begin(noise(model.length + 5, 3));
    await bench.expectModel((await bench.fetch(name)).path);
  });

  it("that was damaged on disk fails the checksum, and is removed", async () => {
    await begin(noise(700_000, 4));
    const error = await failure(bench.fetch(name));
    expect(error.code).toBe("DOWNLOAD_FAILED");
    expect(error.message).toMatch(/checksum.*removed/);
    expect(await bench.blobNames("owner/repo")).toEqual([]);
    await bench.expectModel((await bench.fetch(name)).path);
  });

  it("of another version of the file is not mixed with this one", async () => {
    bench.serveModel();
    bench.server.next("blob", (_, right) => right({ cutAfter: 400_000 }));
    bench.server.next("blob", (response) => response.destroy(), 100);
    await failure(bench.fetch(name));
    bench.server.forget();
    const changed = noise(800_000, 5);
    bench.server.repos.set("owner/repo", repoOf({ "folder/model.gguf": changed }));
    const { path, transferredBytes } = await bench.fetch(name);
    expect(transferredBytes).toBe(changed.length);
    expect(sha256(await readFile(path))).toBe(sha256(changed));
  });
});

describe("a server that sends something else", () => {
  it("fails the checksum, and its bytes are removed", async () => {
    bench.serveModel();
    bench.server.next("blob", (_, right) =>
      right({ bytes: (bytes) => bytes.map((byte, index) => (index === 700_001 ? byte ^ 1 : byte)) }),
    );
    const error = await failure(bench.fetch(name));
    expect(error).toMatchObject({ code: "DOWNLOAD_FAILED", details: { expected: sum, algorithm: "sha256" } });
    expect(error.message).toContain("try again");
    expect(await bench.blobNames("owner/repo")).toEqual([]);
    await bench.expectModel((await bench.fetch(name)).path);
  });

  it("is detected if it sends more than it announced", async () => {
    bench.serveModel();
    bench.server.next("blob", (_, right) =>
      right({
        bytes: (bytes) => new Uint8Array([...bytes, 1, 2, 3]),
        headers: { "content-length": String(model.length + 3) },
      }),
    );
    expect((await failure(bench.fetch(name))).message).toMatch(/sends more/);
  });

  it("is detected in small files by the git hash in the list of files", async () => {
    const files = {
      "config.json": "{}",
      "tokenizer.json": "{}",
      "model.safetensors": noise(2000),
    };
    bench.server.repos.set("owner/repo", repoOf(files));
    bench.server.next("resolve", (_, right) => right({ bytes: () => new TextEncoder().encode("[]") }));
    expect((await failure(bench.fetch("hf:owner/repo"))).details).toMatchObject({ algorithm: "git-sha1" });
  });

  it("that changes a file during a download is asked for its files again", async () => {
    bench.serveModel();
    const changed = noise(900_000, 6);
    bench.server.next("blob", async (_, right) => {
      await right({ cutAfter: 500_000 });
      // The same commit with another file. Only an update of a mirror causes this.
      const { sha } = commitOf({ "folder/model.gguf": model, "README.md": "# Model" });
      const { files } = commitOf({ "folder/model.gguf": changed });
      bench.server.repos.set("owner/repo", {
        revisions: new Map([["main", { sha, files }]]),
        access: "public",
      });
    });
    const { path } = await bench.fetch(name);
    expect(sha256(await readFile(path))).toBe(sha256(changed));
    expect(bench.server.requests.filter(({ method }) => method === "HEAD").length).toBe(2);
  });

  it("is not a hub if its answers do not fit the protocol", async () => {
    bench.serveModel();
    const page = (response: ServerResponse): unknown =>
      response.writeHead(200, { "content-type": "text/html", etag: '"x"' }).end("<html>Log in to the Wi-Fi");
    bench.server.next("resolve", page);
    expect((await failure(bench.fetch(name))).message).toMatch(/does not answer as a model hub does/);
    bench.server.next("info", page);
    expect((await failure(bench.fetch("hf:owner/repo"))).message).toMatch(
      /does not answer as a model hub does/,
    );
    for (const list of [
      "{}",
      "[null, 5, {}]",
      '[{"type":"file","path":"../../x.gguf","size":1,"oid":"0"}]',
    ]) {
      bench.server.next("tree", (response) => response.end(list));
      expect((await failure(bench.fetch("hf:owner/repo"))).code).toMatch(/DOWNLOAD_FAILED|UNSUPPORTED_FILE/);
    }
  });

  it("does not choose the path of the file", async () => {
    bench.serveModel();
    bench.server.next("resolve", (response) =>
      response
        .writeHead(200, { "x-repo-commit": "../../../../escaped", etag: '"e"', "content-length": 4 })
        .end(),
    );
    expect((await failure(bench.fetch(name))).code).toBe("DOWNLOAD_FAILED");
    const evil = (response: ServerResponse): unknown =>
      response
        .writeHead(200, { "x-repo-commit": "a".repeat(40), etag: '"../../../escaped"', "content-length": 4 })
        .end("evil");
    bench.server.next("resolve", evil, 2);
    const { files } = await bench.fetch(name);
    expect(files[0]?.bytes).toBe(4);
    expect(await bench.blobNames("owner/repo")).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });
});
