import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { starterPath } from "../support/golden-path.js";
import { repoOf } from "../support/hub-server.js";
import { type HubWorkbench, openHubWorkbench } from "../support/hub-workbench.js";
import { type CliResult, finishCli, startCli } from "../support/run-cli.js";
import { until } from "./open-server.js";

let bench: HubWorkbench;
let folder: string;
beforeAll(async () => {
  bench = await openHubWorkbench();
  folder = await mkdtemp(join(tmpdir(), "bitnet-models-"));
  await mkdir(join(folder, "notes"));
  for (const name of ["one.gguf", "two.gguf"]) await copyFile(starterPath, join(folder, name));
  await writeFile(join(folder, "broken.gguf"), "GGUF");
});
beforeEach(async () => {
  await bench.reset();
  bench.server.repos.set("owner/tales", repoOf({ "tales-i2_s.gguf": await readFile(starterPath) }));
  bench.server.repos.set("owner/text", repoOf({ "README.md": "# Text" }));
});
afterAll(async () => {
  await bench.close();
  await rm(folder, { recursive: true, force: true });
});

/** A running `bitnet serve`, and clients of it. */
interface Serving {
  readonly url: string;
  readonly ollama: Ollama;
  readonly openai: OpenAI;
  readonly stop: () => Promise<CliResult>;
}
let kill = (): void => undefined;
afterEach(() => kill());

async function serve(...args: string[]): Promise<Serving> {
  const flags = ["--port", "0", "--threads", "1", "--drain-delay", "0"];
  const child = startCli(["serve", ...args, ...flags], bench.environment);
  kill = () => void child.kill("SIGKILL");
  let out = "";
  child.stdout.on("data", (text: Buffer) => (out += text.toString()));
  const finished = finishCli(child);
  await until(() => out.includes("\n"));
  const [url = ""] = /http:\/\/\S+/.exec(out) ?? [];
  return {
    url,
    ollama: new Ollama({ host: url }),
    openai: new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 }),
    stop: () => {
      child.kill("SIGTERM");
      return finished;
    },
  };
}

const names = async ({ ollama }: Serving): Promise<readonly string[]> =>
  (await ollama.list()).models.map(({ name }) => name);
const running = async ({ ollama }: Serving): Promise<readonly string[]> =>
  (await ollama.ps()).models.map(({ name }) => name);

it("serves a folder of models to the clients of OpenAI and Ollama", async () => {
  const serving = await serve(folder, "storyteller");
  const { ollama, openai, stop } = serving;
  expect((await openai.models.list()).data.map(({ id }) => id)).toEqual(["one", "two", "storyteller"]);
  expect(await names(serving)).toEqual(["one", "two", "storyteller"]);
  expect((await ollama.show({ model: "one" })).capabilities).toContain("completion");
  expect(await running(serving)).toEqual([]);

  const chat = { messages: [{ role: "user" as const, content: "Hello" }] };
  const answer = await openai.chat.completions.create({ ...chat, model: "two", max_completion_tokens: 2 });
  expect(answer.model).toBe("two");
  const unknown = openai.chat.completions.create({ ...chat, model: "gpt-9" });
  await expect(unknown).rejects.toMatchObject({ status: 404, code: "model_not_found", param: "model" });
  await expect(ollama.chat({ ...chat, model: "llama3" })).rejects.toThrow(/model 'llama3' not found.*'one'/);

  const text = await ollama.chat({
    ...chat,
    model: "one:latest",
    options: { num_predict: 2 },
    keep_alive: "1h",
  });
  expect(text.model).toBe("one");
  expect(await running(serving)).toEqual(["one", "two"]);
  const [one] = (await ollama.ps()).models;
  expect(Date.parse(String(one?.expires_at)) - Date.now()).toBeGreaterThan(59 * 60_000);
  expect(await ollama.generate({ model: "one", prompt: "", keep_alive: 0 })).toMatchObject({
    done_reason: "unload",
  });
  expect(await running(serving)).toEqual(["two"]);

  const { status, stderr } = await stop();
  expect(status).toBe(0);
  expect(stderr).toContain("Models, loaded on demand: one, two, storyteller");
  expect(stderr).toMatch(/Skipped: .*broken\.gguf/);
}, 60_000);

it("loads a name on the hub on demand", async () => {
  const serving = await serve("hf:owner/tales", join(folder, "one.gguf"));
  expect(await names(serving)).toEqual(["owner/tales", "one"]);
  for (const model of ["owner/tales", "hf:owner/tales", "hf.co/owner/tales:latest"]) {
    const { response } = await serving.ollama.generate({
      model,
      prompt: "Once",
      options: { num_predict: 2 },
    });
    expect(response).not.toBe("");
  }
  expect(await running(serving)).toEqual(["owner/tales"]);
  await serving.stop();
}, 60_000);

it("downloads a model where --allow-pull allows it, with progress", async () => {
  const serving = await serve(join(folder, "one.gguf"), "--allow-pull");
  const { ollama, openai } = serving;
  const size = (await readFile(starterPath)).length;
  const lines: { status: string; total?: number; completed?: number }[] = [];
  for await (const line of await ollama.pull({ model: "owner/tales", stream: true })) lines.push(line);
  expect(lines.map(({ status }) => status)).toEqual([
    "pulling manifest",
    ...lines.slice(1, -3).map(() => "pulling hf:owner/tales"),
    "verifying sha256 digest",
    "writing manifest",
    "success",
  ]);
  expect(lines.at(-4)).toMatchObject({ total: size, completed: size });
  expect(await names(serving)).toEqual(["one", "owner/tales"]);
  const { choices } = await openai.completions.create({
    model: "owner/tales",
    prompt: "Once",
    max_tokens: 2,
  });
  expect(choices[0]?.text).not.toBe("");

  bench.server.forget();
  for (const model of ["owner/tales", "hf:owner/tales:latest", "one"]) {
    expect(await ollama.pull({ model })).toEqual({ status: "success" });
  }
  expect(bench.server.requests).toEqual([]);
  expect(await ollama.pull({ model: "hf:owner/tales:tales-i2_s.gguf" })).toEqual({ status: "success" });
  expect(await names(serving)).toEqual(["one", "owner/tales", "owner/tales/tales-i2_s.gguf"]);
  await serving.stop();
}, 60_000);

it("says why a download fails, in the stream and by status, and goes on", async () => {
  const serving = await serve("--allow-pull");
  const { ollama, url } = serving;
  expect(await names(serving)).toEqual(["storyteller"]);
  await expect(ollama.pull({ model: "owner/absent" })).rejects.toThrow(/owner\/absent/);
  await expect(ollama.pull({ model: "owner/text" })).rejects.toThrow(/neither a GGUF file nor a checkpoint/);
  const stream = await ollama.pull({ model: "owner/text", stream: true });
  await expect(stream[Symbol.asyncIterator]().next()).resolves.toMatchObject({
    value: { status: "pulling manifest" },
  });
  const statusOf = async (model: unknown): Promise<number> =>
    (await fetch(`${url}/api/pull`, { method: "POST", body: JSON.stringify({ model, stream: false }) }))
      .status;
  // The hub does not tell strangers whether a repository is absent or private.
  const wrong = ["owner/absent", "owner/tales:absent.gguf", "owner/text"];
  expect(await Promise.all(wrong.map(statusOf))).toEqual([403, 404, 400]);

  bench.server.forget();
  const { cdn, endpoint } = bench.server;
  for (const model of [
    starterPath,
    `file://${starterPath}`,
    `${cdn}/files/model.gguf`,
    `hf:${cdn}/files/model.gguf`,
    `${endpoint}/owner/tales`,
    "../models/storyteller.gguf",
    "owner/../tales",
    "owner/tales/../../etc/passwd",
    "owner/tales:../x.gguf",
    "owner/tales@../main",
    "llama3",
    "owner",
    "",
    7,
  ]) {
    expect([model, await statusOf(model)]).toEqual([model, 400]);
  }
  expect(bench.server.requests).toEqual([]);
  expect(await names(serving)).toEqual(["storyteller"]);
  await serving.stop();
}, 60_000);

it("stops a download when its client leaves, and goes on with the next", async () => {
  const serving = await serve("--allow-pull");
  const { ollama } = serving;
  bench.server.next("blob", (_, right) => right({ pauseMs: 50 }));
  const stream = await ollama.pull({ model: "owner/tales", stream: true });
  const begun = async (): Promise<void> => {
    for await (const { completed = 0 } of stream) if (completed > 0) stream.abort();
  };
  await expect(begun()).rejects.toThrow(/abort/i);
  const partial = async (): Promise<readonly string[]> =>
    (await bench.blobNames("owner/tales")).filter((name) => /partial|lock/.test(name));
  // The lock goes when the download has stopped.
  await until(async () => (await partial()).length === 1);
  expect(await names(serving)).toEqual(["storyteller"]);
  expect(await ollama.pull({ model: "owner/tales" })).toEqual({ status: "success" });
  expect(bench.server.requests.filter(({ kind }) => kind === "blob").at(-1)?.range).toMatch(/^bytes=[1-9]/);
  await serving.stop();
}, 60_000);

it("downloads nothing without --allow-pull, nor without the key, nor for a foreign page", async () => {
  const closed = await serve(folder);
  await expect(closed.ollama.pull({ model: "owner/tales" })).rejects.toThrow(/downloads no other model/);
  expect(await closed.ollama.pull({ model: "one" })).toEqual({ status: "success" });
  await closed.stop();

  const keyed = await serve("--allow-pull", "--api-key", "secret");
  const pull = (headers: Record<string, string>): Promise<Response> =>
    fetch(`${keyed.url}/api/pull`, {
      method: "POST",
      headers,
      body: JSON.stringify({ model: "owner/tales" }),
    });
  expect((await pull({})).status).toBe(401);
  expect((await pull({ Authorization: "Bearer secret", Origin: "https://evil.example" })).status).toBe(403);
  expect(bench.server.requests).toEqual([]);
  await keyed.stop();
}, 60_000);

it("refuses names that are the same, and flags that have no meaning", async () => {
  const other = join(folder, "notes", "one.gguf");
  await copyFile(starterPath, other);
  const one = join(folder, "one.gguf");
  for (const [args, why] of [
    [[one, other], /their name for clients is "one"/],
    [[join(folder, "notes", "absent.gguf"), one], /no such file/],
    [[one, "--keep-alive", "1h"], /one model, which stays loaded/],
    [[one, other, "--keep-alive", "soon"], /a time such as "5m"/],
    [[one, other, "--max-loaded", "0"], /whole number from 1/],
  ] as const) {
    const { status, stderr } = await finishCli(startCli(["serve", ...args, "--port", "0"]));
    expect([status, stderr]).toEqual([expect.any(Number), expect.stringMatching(why)]);
    expect(status).not.toBe(0);
  }
}, 60_000);
