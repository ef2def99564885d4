import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findProgram } from "../support/find-program.js";
import { runCli } from "../support/run-cli.js";

async function script(shell: string): Promise<string> {
  const { stdout, stderr, status } = await runCli(["completion", shell]);
  expect([stderr, status]).toEqual(["", 0]);
  return stdout;
}

function run(program: string, args: readonly string[], input: string): string {
  const { stdout, stderr, status } = spawnSync(program, args, { input, encoding: "utf8" });
  expect([stderr, status]).toEqual(["", 0]);
  return stdout;
}

const bash = findProgram("BASH_PROGRAM", ["bash"]);
describe.skipIf(bash === undefined)(
  bash === undefined ? "bitnet completion bash (SKIPPED: no bash)" : "bitnet completion bash",
  () => {
    const complete = async (...words: readonly string[]): Promise<readonly string[]> => {
      const typed = words.map((word) => `'${word}'`).join(" ");
      const ask = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length - 1}; _bitnet; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return run(bash ?? "", ["--norc"], `${await script("bash")}\n${ask}\n`)
        .trim()
        .split("\n");
    };

    it("completes commands", async () => {
      expect(await complete("bitnet", "in")).toEqual(["inspect"]);
      expect(await complete("bitnet", "c")).toEqual(["chat", "convert", "completion"]);
    });

    it("completes options of the command, and their choices", async () => {
      expect(await complete("bitnet", "run", "--temp")).toContain("--temp");
      expect(await complete("bitnet", "run", "--redis")).toEqual([""]);
      expect(await complete("bitnet", "worker", "--redis")).toEqual(["--redis"]);
      expect(await complete("bitnet", "run", "--packing", "s")).toEqual(["small"]);
    });

    it("leaves other words to the shell, which completes paths", async () => {
      expect(await complete("bitnet", "run", "mod")).toEqual([""]);
    });
  },
);

describe.each(["zsh", "fish"])("bitnet completion %s", (shell) => {
  const program = findProgram(`${shell.toUpperCase()}_PROGRAM`, [shell]);
  it.skipIf(program === undefined)(
    program === undefined ? `has a valid syntax (SKIPPED: no ${shell})` : "has a valid syntax",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "bitnet-completion-"));
      const file = join(folder, "script");
      await writeFile(file, await script(shell));
      run(program ?? "", ["-n", file], "");
      await rm(folder, { recursive: true });
    },
  );

  it("names every command", async () => {
    const text = await script(shell);
    for (const name of ["run", "chat", "serve", "batch", "eval"]) expect(text).toContain(name);
  });
});

describe("bitnet completion", () => {
  it("names the shells that it knows", async () => {
    const { stderr, status } = await runCli(["completion", "tcsh"]);
    expect(stderr).toMatch(/Allowed choices are bash, zsh, fish/);
    expect(status).toBe(2);
  });
});
