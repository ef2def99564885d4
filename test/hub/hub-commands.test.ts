import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { exportCheckpoint } from "../support/checkpoint-export.js";
import { starterPath } from "../support/golden-path.js";
import { acceptedToken, commitOf, repoOf, sha256 } from "../support/hub-server.js";
import { type HubWorkbench, openHubWorkbench } from "../support/hub-workbench.js";
import { type CliResult, finishCli, runCli, startCli } from "../support/run-cli.js";

let bench: HubWorkbench;
let model: Uint8Array;
beforeAll(async () => {
  bench = await openHubWorkbench();
  model = await readFile(starterPath);
});
beforeEach(async () => {
  await bench.reset();
  bench.server.repos.set("owner/tales", repoOf({ "storyteller-i2_s.gguf": model, "README.md": "# Tales" }));
});
afterAll(() => bench.close());

const name = "hf:owner/tales/storyteller-i2_s.gguf";
const repo = (): string => join(bench.folder, "hub", "models--owner--tales");
const cli = (
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CliResult> => runCli(args, "", { ...bench.environment, ...environment });

describe("bitnet pull", () => {
  it("downloads a model that runs offline, with the same text as the file itself", async () => {
    const pulled = await cli(["pull", "owner/tales"]);
    const { sha } = commitOf({ "storyteller-i2_s.gguf": model, "README.md": "# Tales" });
    const path = join(repo(), "snapshots", sha, "storyteller-i2_s.gguf");
    expect(pulled.stdout).toBe(`${path}\n`);
    expect(pulled.stderr).toMatch(
      /^hf:owner\/tales\/storyteller-i2_s\.gguf: 3\.47 MB, 3\.47 MB downloaded in .*\n$/,
    );
    expect(pulled.status).toBe(0);

    bench.server.forget();
    const args = ["-p", "Once upon a time", "-n", "12", "--temp", "0", "--json"];
    const text = (result: CliResult): unknown => (JSON.parse(result.stdout) as { text: unknown }).text;
    const expected = text(await cli(["run", starterPath, ...args]));
    for (const model of [name, "hf:owner/tales"]) {
      expect(text(await cli(["run", model, ...args]))).toBe(expected);
    }
    // An address without a server, and no address.
    expect(text(await cli(["run", name, ...args], { HF_HUB_OFFLINE: "1" }))).toBe(expected);
    expect(bench.server.requests).toEqual([]);

    const again = await cli(["pull", "owner/tales"]);
    expect(again).toMatchObject({ stdout: `${path}\n`, status: 0 });
    expect(again.stderr).toContain("up to date");
  });

  it("--json prints one object; --revision and @revision are the same", async () => {
    const other = { "storyteller-i2_s.gguf": model, "README.md": "# Other" };
    bench.server.repos.get("owner/tales")?.revisions.set("refs/pr/1", commitOf(other));
    const { stdout, stderr, status } = await cli(["pull", name, "--revision", "refs/pr/1", "--json"]);
    expect([stderr, status]).toEqual(["", 0]);
    const result = JSON.parse(stdout) as { readonly files: readonly object[] };
    expect(Object.keys(result).sort()).toEqual([
      "bytes",
      "commit",
      "files",
      "name",
      "path",
      "transferredBytes",
    ]);
    expect(result).toMatchObject({
      name: `${name}@refs/pr/1`,
      commit: commitOf(other).sha,
      bytes: model.length,
      transferredBytes: model.length,
    });
    expect(JSON.parse((await cli(["pull", `${name}@refs/pr/1`, "--json"])).stdout)).toEqual({
      ...result,
      transferredBytes: 0,
    });
  });

  it("fails in one line, with the right status, and with no token in it", async () => {
    const gated = repoOf({ "m.gguf": model }, "gated");
    bench.server.repos.set("owner/gated", gated);
    for (const [args, environment, status, message] of [
      [["pull", "owner"], {}, 2, /INVALID_ARGUMENT: Invalid model name "hf:owner"/],
      [["pull", name, "--revision", "a b"], {}, 2, /INVALID_ARGUMENT.*"a b"/],
      [["pull", `${name}@v1`, "--revision", "v2"], {}, 2, /INVALID_ARGUMENT: Invalid --revision/],
      [["pull", "https://x.test/m.gguf", "--revision", "v2"], {}, 2, /is a URL/],
      [["pull", "owner/gated"], {}, 1, /ACCESS_DENIED.*gated.*HF_TOKEN/],
      [["pull", "owner/gated"], { HF_TOKEN: "hf_Wrong" }, 1, /ACCESS_DENIED.*HF_TOKEN is refused/],
      [["pull", "owner/tales/x.gguf"], {}, 1, /FILE_NOT_FOUND.*it has storyteller-i2_s\.gguf/],
      [["pull", "owner/tales"], { HF_HUB_OFFLINE: "1" }, 1, /DOWNLOAD_FAILED.*HF_HUB_OFFLINE/],
      [["run", "hf:owner/absent", "-p", "x"], { HF_TOKEN: acceptedToken }, 1, /FILE_NOT_FOUND/],
    ] as const) {
      const result = await cli(args, environment);
      expect([result.stdout, result.status]).toEqual(["", status]);
      expect(result.stderr).toMatch(/^bitnet: [A-Z_]+: [^\n]+\n$/);
      expect(result.stderr).toMatch(message);
      expect(result.stderr).not.toMatch(/hf_[A-Z]/);
    }
  });

  it.skipIf(process.platform === "win32")("resumes a killed or stopped run", async () => {
    let had = 0;
    for (const signal of ["SIGKILL", "SIGINT"] as const) {
      bench.server.forget();
      bench.server.next("blob", (_, right) => right({ pauseMs: 20 }));
      const child = startCli(["pull", name], bench.environment);
      const finished = finishCli(child);
      while (bench.server.bodyBytes() < 500_000) await new Promise((resolve) => setTimeout(resolve, 5));
      child.kill(signal);
      const { status, stdout, stderr } = await finished;
      expect(stdout).toBe("");
      if (signal === "SIGINT") expect([status, stderr]).toEqual([130, ""]);
      const range = bench.server.requests.find(({ kind }) => kind === "blob")?.range;
      if (signal === "SIGINT") expect(range).toMatch(/^bytes=[1-9]\d*-$/);
      const [partial] = JSON.parse((await cli(["list", "--json"])).stdout) as { bytes: number }[];
      expect(partial?.bytes).toBeGreaterThan(had);
      had = partial?.bytes ?? 0;
    }
    bench.server.forget();
    const { status, stdout } = await cli(["pull", name, "--json"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ bytes: model.length, transferredBytes: model.length - had });
    expect(await readdir(join(repo(), "blobs"))).toEqual([sha256(model)]);
  });

  it("twice at once downloads once", async () => {
    bench.server.next("blob", (_, right) => right({ pauseMs: 10 }));
    const results = await Promise.all([1, 2, 3].map(() => cli(["pull", name, "--json"])));
    const transferred = results.map(
      ({ stdout }) => (JSON.parse(stdout) as { readonly transferredBytes: number }).transferredBytes,
    );
    expect(transferred.sort((a, b) => a - b)).toEqual([0, 0, model.length]);
    expect(bench.server.bodyBytes()).toBe(model.length);
    expect(await readdir(join(repo(), "blobs"))).toEqual([sha256(model)]);
  });
});

describe("commands that take a model", () => {
  it("take a name, and download a missing model", async () => {
    const inspected = await cli(["inspect", "hf:owner/tales"]);
    expect([inspected.stderr, inspected.status]).toEqual(["", 0]);
    expect(inspected.stdout).toMatch(/^hf:owner\/tales: bitnet-b1\.58, 3\.47 MB\n/);
    const measured = await cli([
      "bench",
      "hf:owner/tales",
      "-p",
      "8",
      "-n",
      "2",
      "-t",
      "1",
      "-r",
      "1",
      "--json",
    ]);
    expect(JSON.parse(measured.stdout)).toMatchObject([{ model: "hf:owner/tales" }, {}]);
  });

  it("convert the model of a name", async () => {
    const output = join(bench.folder, "converted.gguf");
    const { stderr, status } = await cli(["convert", "hf:owner/tales", "-o", output, "--type", "tq2_0"]);
    expect([stderr, status]).toEqual(["", 0]);
    expect((await cli(["inspect", output])).stdout).toContain("TQ2_0");
  });

  it("take a URL", async () => {
    bench.server.plainFiles.set("tales.gguf", model);
    const { stdout, status } = await cli([
      "run",
      `${bench.server.cdn}/files/tales.gguf`,
      "-p",
      "Once",
      "-n",
      "2",
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Once/);
  });

  it("take a repository that has a checkpoint, in shards", async () => {
    const files = await exportCheckpoint(model, {
      storage: { kind: "divide", dtype: "BF16" },
      tensorsPerShard: 20,
    });
    const paths = Object.keys(Object.fromEntries(files));
    expect(paths.filter((path) => path.endsWith(".safetensors")).length).toBeGreaterThan(2);
    bench.server.repos.set("owner/checkpoint", repoOf({ ...Object.fromEntries(files), "README.md": "#" }));
    const args = ["-p", "Once upon a time", "-n", "8", "--temp", "0"];
    const { stdout, status } = await cli(["run", "hf:owner/checkpoint", ...args]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Once upon a time there was/);
    bench.server.forget();
    expect((await cli(["run", "hf:owner/checkpoint", ...args])).stdout).toBe(stdout);
    expect(bench.server.requests).toEqual([]);
  });

  it("stop at once when a download is stopped", async () => {
    bench.server.next("blob", (_, right) => right({ pauseMs: 50 }));
    const child = startCli(["run", name, "-p", "x"], bench.environment);
    const finished = finishCli(child);
    while (bench.server.bodyBytes() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGINT");
    expect(await finished).toEqual({ stdout: "", stderr: "", status: 130 });
  });
});

describe("bitnet list and rm", () => {
  it("show and remove pulled models", async () => {
    expect(await cli(["list", "--json"])).toEqual({ stdout: "[]\n", stderr: "", status: 0 });
    expect((await cli(["list"])).stderr).toMatch(/holds no models; bitnet pull/);
    await cli(["pull", name]);
    const { stdout } = await cli(["list"]);
    expect(stdout).toMatch(/^name +revision +size +last used\n/);
    expect(stdout).toMatch(
      /^hf:owner\/tales\/storyteller-i2_s\.gguf +main [0-9a-f]{8} +3\.47 MB +\d{4}-\d\d-\d\d$/m,
    );
    const [listed] = JSON.parse((await cli(["list", "--json"])).stdout) as Record<string, unknown>[];
    expect(Object.keys(listed ?? {}).sort()).toEqual([
      "bytes",
      "commit",
      "file",
      "files",
      "lastUsed",
      "name",
      "path",
      "repo",
      "revision",
      "unfinished",
    ]);
    expect(listed).toMatchObject({
      name,
      repo: "owner/tales",
      file: "storyteller-i2_s.gguf",
      revision: "main",
      bytes: model.length,
    });

    const asked = await cli(["rm", name]);
    expect([asked.stdout, asked.status]).toEqual(["", 2]);
    expect(asked.stderr).toMatch(/INVALID_ARGUMENT: Cannot ask whether to remove hf:.* \(3\.47 MB\).*--yes/);
    expect(existsSync(repo())).toBe(true);

    expect(await cli(["rm", name, "-y"])).toEqual({
      stdout: "removed hf:owner/tales/storyteller-i2_s.gguf (3.47 MB freed)\n",
      stderr: "",
      status: 0,
    });
    expect(existsSync(repo())).toBe(false);
    const gone = await cli(["rm", name, "--yes"]);
    expect(gone.status).toBe(1);
    expect(gone.stderr).toMatch(/^bitnet: FILE_NOT_FOUND: Cannot remove/);

    await cli(["pull", name]);
    const removed = JSON.parse((await cli(["rm", "owner/tales", "-y", "--json"])).stdout) as object;
    expect(removed).toMatchObject({ name: "hf:owner/tales", paths: [repo()] });
  });
});

describe("loadModel", () => {
  it("takes a name, reports the download's progress, and loads it from the cache the next time", async () => {
    const before = { ...process.env };
    Object.assign(process.env, bench.environment);
    try {
      const stages: string[] = [];
      let downloaded = 0;
      const model = await loadModel(name, {
        threads: 1,
        onProgress: ({ stage, loadedBytes, totalBytes }) => {
          if (stages.at(-1) !== stage) stages.push(stage);
          if (stage === "download") downloaded = loadedBytes / totalBytes;
        },
      });
      const text = await model.complete("Once", { maxTokens: 4, temperature: 0 });
      await model.dispose();
      expect(stages).toEqual(["download", "open", "weights", "ready"]);
      expect(downloaded).toBe(1);

      bench.server.forget();
      const cached = await loadModel(new URL(name), { threads: 1 });
      expect(await cached.complete("Once", { maxTokens: 4, temperature: 0 })).toBe(text);
      await cached.dispose();
      expect(bench.server.requests).toEqual([]);

      const signal = AbortSignal.abort(new Error("no"));
      await expect(loadModel("hf:owner/other", { signal })).rejects.toBe(signal.reason);
      await expect(loadModel("hf:owner/other")).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    } finally {
      for (const key of Object.keys(bench.environment)) {
        if (before[key] === undefined) Reflect.deleteProperty(process.env, key);
        else process.env[key] = before[key];
      }
    }
  });
});

describe("modules that load local files", () => {
  /** All modules that a module loads: ours by path and others by name. */
  async function loadedWith(module: URL, seen = new Set<string>()): Promise<ReadonlySet<string>> {
    if (seen.has(module.href)) return seen;
    seen.add(module.href);
    const text = await readFile(module, "utf8");
    for (const [, target = ""] of text.matchAll(/^(?:import|export) (?:[^;]*? from )?"([^"]+)";/gm)) {
      if (target.startsWith(".")) await loadedWith(new URL(target, module), seen);
      else seen.add(target);
    }
    return seen;
  }

  it.each(["index.js", "cli/main.js"])("do not load the download code with %s", async (entry) => {
    const loaded = [...(await loadedWith(new URL(`../../dist/${entry}`, import.meta.url)))];
    expect(
      loaded.filter((each) => /dist\/hub\/(?!model-name|settings)|@huggingface\/hub/.test(each)),
    ).toEqual([]);
    // The search must find at least one module.
    expect(loaded.some((each) => each.endsWith("hub/model-name.js"))).toBe(true);
    expect(loaded.length).toBeGreaterThan(50);
  });
});
