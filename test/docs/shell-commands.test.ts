import { readdir } from "node:fs/promises";
import { Command } from "commander";
import { beforeAll, describe, expect, it } from "vitest";
import type { CliCommand } from "#dist/cli/command.js";
import { translateArguments } from "#dist/cli/familiar-arguments.js";
import type { Terminal } from "#dist/cli/terminal.js";
import { codeBlocks, guidePages, inlineCode } from "../support/markdown-code.js";

const folder = new URL("../../dist/cli/commands/", import.meta.url);

/** Only actions use it. */
const noTerminal = {} as Terminal;

/** The words of `bitnet` and its alias, after assignments of variables. */
const program = /^(?:\w+=\S+ )*(?:npx )?(?:bitnet-wasm|bitnet) (.*)$/;

/** Lines of shell blocks, and code in sentences and tables that begins with `npx bitnet-wasm`. */
const lines = [...guidePages(), "docs/MODELS.md", "docs/BENCHMARKS.md"].flatMap((page) => [
  ...codeBlocks(page, ["sh"]).flatMap(({ at, code }) =>
    code
      .replaceAll(/\\\n\s*/g, "")
      .split("\n")
      .flatMap((line) => {
        const words = program.exec(line.trim())?.[1];
        return words === undefined ? [] : [[at, words] as const];
      }),
  ),
  ...inlineCode(page).flatMap((code) => {
    const words = /^npx bitnet-wasm (.+)$/.exec(code)?.[1];
    return words === undefined ? [] : [[page, words] as const];
  }),
]);

describe("command lines in the documentation", () => {
  const commands: CliCommand[] = [];
  beforeAll(async () => {
    for (const name of (await readdir(folder)).filter((file) => file.endsWith(".js"))) {
      const module = (await import(new URL(name, folder).href)) as Readonly<Record<string, unknown>>;
      commands.push(...Object.values(module).filter(isCommand));
    }
  });

  it("knows the commands", () => {
    expect(commands.length).toBe(17);
    expect(lines.length).toBeGreaterThan(50);
  });

  /** Whether a command would start. Its action is replaced. */
  function starts(line: string): boolean {
    const parser = new Command("bitnet").exitOverride().configureOutput({ writeErr: () => undefined });
    let ran = false;
    for (const { name, define } of commands) {
      const command = parser.command(name);
      define(command, noTerminal);
      command.action(() => {
        ran = true;
      });
    }
    parser.parse(translateArguments(wordsOf(line), parser.commands), { from: "user" });
    return ran;
  }

  it("would notice a wrong command, flag, value and number of arguments", () => {
    for (const line of ["talk", "run --hotness 1", "run --threads many", "pull a b"])
      expect(() => starts(line), line).toThrow();
  });

  it.each(lines)("%s: bitnet %s", (_, line) => {
    expect(starts(line)).toBe(true);
  });
});

function isCommand(value: unknown): value is CliCommand {
  return typeof value === "object" && value !== null && "define" in value && "summary" in value;
}

/** Words as a shell splits them: quotes, a comment at the end, a pipe or a redirection. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [word] of line.matchAll(/"[^"]*"|'[^']*'|[^\s"']+/g)) {
    if (/^[#>|]/.test(word)) break;
    words.push(word.replaceAll(/^["']|["']$/g, ""));
  }
  return words;
}
