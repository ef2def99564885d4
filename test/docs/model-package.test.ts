import { spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeBlocks } from "../support/markdown-code.js";
import { finishCli } from "../support/run-cli.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = "docs/guide/training.md";

describe("the npm package of docs/guide/training.md", () => {
  const [program = ""] = codeBlocks(page, ["js"]).map(({ code }) => code);
  const shell = codeBlocks(page, ["sh"]).flatMap(({ code }) => code.split("\n"));
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bitnet-package-"));
    const own = join(folder, "node_modules", "my-package");
    await mkdir(own, { recursive: true });
    await writeFile(join(own, "index.js"), program);
    await copyFile(join(root, "models", "storyteller.gguf"), join(own, "model.gguf"));
    const settings = { name: "my-package", version: "1.0.0", type: "module", main: "index.js" };
    await writeFile(join(own, "package.json"), JSON.stringify(settings));
    await symlink(root, join(folder, "node_modules", "bitnet-wasm"), "junction");
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("is used by the page's command", async () => {
    const used = shell.flatMap((line) => /^node --input-type=module -e '(.+)'$/.exec(line)?.[1] ?? []);
    expect(used.length).toBe(1);
    const child = spawn(process.execPath, ["--input-type=module", "-e", ...used], { cwd: folder });
    child.stdin.end();
    const { stdout, stderr, status } = await finishCli(child);
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^The fox\W*\w+/);
  });

  it("has the name, files and type of the page's commands", () => {
    const set = shell.find((line) => line.startsWith("npm pkg set "));
    expect(set).toBe('npm pkg set type=module main=index.js "files[0]=index.js" "files[1]=model.gguf"');
  });
});
