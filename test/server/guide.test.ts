import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { finishCli, mainScript, type CliResult } from "../support/run-cli.js";
import { openServer, type OpenServer, until } from "./open-server.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const guide = readFileSync(`${root}/docs/guide/clients.md`, "utf8");
/** The programs of the guide, by heading. */
const programs = guide
  .split(/^## /m)
  .flatMap((section) =>
    [...section.matchAll(/^```js\n(.*?)^```/gms)].map(([, code = ""]): readonly [string, string] => [
      section.split("\n")[0] ?? "",
      code,
    ]),
  );

describe("docs/guide/clients.md", () => {
  let model: LanguageModel;
  let server: OpenServer;
  beforeAll(async () => {
    model = await loadModel(undefined, { threads: 1 });
    server = await openServer(model, { apiKey: "secret" });
  });
  afterAll(async () => {
    await server.close();
    await model.dispose();
  });

  it("has a program for each kind of client", () => {
    expect(programs).toHaveLength(7);
  });

  it.each(programs)("%s: its program writes a text", async (_, code) => {
    const before = server.server.stats.requests;
    const { stdout, stderr, status } = await runModule(code.replaceAll("http://127.0.0.1:8080", server.url));
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout.trim()).not.toBe("");
    expect(server.server.stats.requests).toBe(before + 1);
  });
});

function runModule(code: string): Promise<CliResult> {
  // The file is in the repository, so that Node.js finds its packages.
  const child = spawn(process.execPath, ["--input-type=module", "--eval", code], { cwd: root });
  child.stdin.end();
  return finishCli(child);
}

it("examples/mount-server.mjs serves the model below its path, and the rest beside it", async () => {
  const child = spawn(process.execPath, [`${root}/examples/mount-server.mjs`, "0"]);
  try {
    let out = "";
    child.stdout.on("data", (data: Buffer) => (out += data.toString()));
    const finished = finishCli(child);
    await until(() => out.includes("\n") || child.exitCode !== null);
    const base = out.trim();
    expect(base).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/llm\/v1$/);
    const response = await fetch(`${base}/completions`, {
      method: "POST",
      body: JSON.stringify({ prompt: "The fox", max_tokens: 3 }),
    });
    expect(await response.json()).toMatchObject({ usage: { completion_tokens: 3 } });
    expect(await (await fetch(base.replace("/llm/v1", "/"))).text()).toContain("application");
    expect(await (await fetch(base.replace("/v1", "/"))).text()).toContain("<!doctype html>");
    child.kill("SIGINT");
    expect((await finished).status).toBe(0);
  } finally {
    child.kill("SIGKILL");
  }
});

it("the unit and the image use options of the program", async () => {
  const unit = readFileSync(`${root}/deploy/bitnet.service`, "utf8");
  const image = readFileSync(`${root}/deploy/Containerfile`, "utf8");
  const help = await finishCli(spawn(process.execPath, [mainScript, "serve", "--help"]));
  const [, unitArgs = ""] = /^ExecStart=.*? serve (.*)$/m.exec(unit) ?? [];
  const [, imageArgs = "[]"] = /^ENTRYPOINT (.*)$/m.exec(image) ?? [];
  const flags = [...unitArgs.split(" "), ...(JSON.parse(imageArgs) as string[])].filter((word) =>
    word.startsWith("--"),
  );
  expect(flags).toHaveLength(5);
  for (const flag of flags) expect(help.stdout).toContain(flag);
});
