import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runCli } from "../support/run-cli.js";

const packageJson = new URL("../../package.json", import.meta.url);

const commandNames = [
  "run",
  "chat",
  "serve",
  "embed",
  "pull",
  "list",
  "rm",
  "inspect",
  "convert",
  "dummy",
  "bench",
  "perplexity",
  "eval",
];

describe("bitnet", () => {
  it("prints its version", async () => {
    const { version } = JSON.parse(readFileSync(packageJson, "utf8")) as { version: string };
    expect(await runCli(["--version"])).toEqual({ stdout: `${version}\n`, stderr: "", status: 0 });
  });

  it("--help names every command on standard output, with examples", async () => {
    const { stdout, stderr, status } = await runCli(["--help"]);
    expect([stderr, status]).toEqual(["", 0]);
    for (const name of commandNames) expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
    expect(stdout).toContain("Examples:");
  });

  it.each(commandNames)("%s --help has examples and hides the flags for experiments", async (name) => {
    const { stdout, status } = await runCli([name, "--help"]);
    expect(status).toBe(0);
    expect(stdout).toContain(`Usage: bitnet ${name}`);
    expect(stdout).toContain("Examples:");
    expect(stdout).not.toMatch(/--kernel-build|--dot-form|--head(?!-type)/);
  });

  it("without a command prints help as an error", async () => {
    const { stdout, stderr, status } = await runCli([]);
    expect([stdout, status]).toEqual(["", 2]);
    expect(stderr).toContain("Usage: bitnet");
  });
});

describe("bad usage is one line and status 2:", () => {
  it.each<[string, string[], RegExp]>([
    ["unknown command", ["frob"], /unknown command 'frob'/],
    ["unknown flag", ["run", "--frob"], /unknown option '--frob'/],
    ["nearly a flag", ["run", "-p", "x", "--tmp", "1"], /'--tmp' \(Did you mean --temp\?\)/],
    ["too many arguments", ["inspect", "a.gguf", "b.gguf"], /too many arguments/],
    ["not a number", ["run", "-p", "x", "-n", "many"], /--max-tokens.*'many'.*Expected a number/],
    ["hexadecimal", ["run", "-p", "x", "--seed", "0x10"], /--seed.*'0x10'/],
    ["no value", ["run", "-p"], /--prompt.*argument missing/],
    ["max tokens of 0", ["run", "-p", "x", "-n", "0"], /INVALID_ARGUMENT: Invalid --max-tokens: 0/],
    ["negative temperature", ["run", "-p", "x", "--temp", "-1"], /INVALID_ARGUMENT: Invalid --temp: -1/],
    [
      "top-p above 1",
      ["run", "-p", "x", "--top-p", "3"],
      /INVALID_ARGUMENT: Invalid --top-p: 3.*from 0 to 1/,
    ],
    ["empty stop", ["run", "-p", "x", "--stop", ""], /INVALID_ARGUMENT: Invalid --stop/],
    ["half a thread", ["run", "-p", "x", "-t", "0.5"], /INVALID_ARGUMENT: Invalid --threads: 0\.5/],
    ["context beyond the model's", ["run", "-p", "x", "-c", "9999"], /INVALID_ARGUMENT: Invalid --ctx: 9999/],
    ["unknown head", ["run", "-p", "x", "--head", "int3"], /Allowed choices are auto, whole, screened/],
    ["two prompts", ["run", "-p", "x", "-f", "y"], /cannot be used with/],
    ["no prompt", ["run"], /INVALID_ARGUMENT: There is no prompt/],
    ["dummy without size", ["dummy", "-o", "x.gguf"], /--size <name>' not specified/],
    ["dummy of no known size", ["dummy", "--size", "9X", "-o", "never.gguf"], /INVALID_ARGUMENT.*"9X".*2B4T/],
    [
      "dummy of no known type",
      ["dummy", "--size", "tiny", "--type", "q9", "-o", "never.gguf"],
      /INVALID_ARGUMENT.*"q9".*i2_s/,
    ],
    ["bench of too long a prompt", ["bench", "-p", "1100"], /INVALID_ARGUMENT: Cannot measure pp1100.*1024/],
    [
      "bench of nothing",
      ["bench", "-p", "0", "-n", "0"],
      /INVALID_ARGUMENT: Cannot measure: -p and -n are both 0/,
    ],
    ["bench of no threads", ["bench", "-t", "1,0"], /--threads.*whole numbers from 1/],
  ])("%s", async (_, args, message) => {
    const { stdout, stderr, status } = await runCli(args);
    expect([stdout, status]).toEqual(["", 2]);
    expect(stderr).toMatch(/^bitnet: [^\n]+\n$/);
    expect(stderr).toMatch(message);
  });
});

describe("a failure is one line with its code and status 1:", () => {
  it.each<[string, string[], RegExp]>([
    ["run of no file", ["run", "nowhere.gguf", "-p", "x"], /FILE_NOT_FOUND: Cannot open "nowhere\.gguf"/],
    ["inspect of no file", ["inspect", "nowhere.gguf"], /FILE_NOT_FOUND/],
    ["bench of no file", ["bench", "nowhere.gguf"], /FILE_NOT_FOUND/],
    ["inspect of a folder", ["inspect", "."], /FILE_NOT_FOUND.*folder/],
    ["inspect of another kind of file", ["inspect", "package.json"], /FILE_CORRUPT/],
    ["prompt file that is not there", ["run", "-f", "nowhere.txt"], /FILE_NOT_FOUND.*nowhere\.txt/],
    ["a name that would steer the terminal", ["inspect", "a\n\u001b[31mb"], /"a\\n\\u001b\[31mb"/],
    [
      "prompt beyond the context",
      ["run", "-c", "8", "-p", "a b c d e f g h i j k l"],
      /CONTEXT_FULL: The prompt has/,
    ],
  ])("%s", async (_, args, message) => {
    const { stdout, stderr, status } = await runCli(args);
    expect([stdout, status]).toEqual(["", 1]);
    expect(stderr).toMatch(/^bitnet: [A-Z_]+: [^\n]+\n$/);
    expect(stderr).toMatch(message);
  });

  it("BITNET_DEBUG adds the stack", async () => {
    const { stderr, status } = await runCli(["inspect", "nowhere.gguf"], "", { BITNET_DEBUG: "1" });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^bitnet: FILE_NOT_FOUND: .*\n.*\n {4}at /);
  });
});
