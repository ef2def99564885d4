import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAnswerPrinter } from "#dist/cli/answer-printer.js";
import { type CliResult, runCli } from "../support/run-cli.js";
import { makeThinkingModel } from "../support/thinking-model.js";

describe("bitnet chat with a model that thinks", () => {
  let folder: string;
  let path: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bitnet-chat-"));
    path = join(folder, "model.gguf");
    await writeFile(path, (await makeThinkingModel()).bytes);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const talk = (input: string, flags: readonly string[] = []): Promise<CliResult> =>
    runCli(["chat", path, "--temp", "0", "-t", "1", ...flags], input);
  const thoughtful = "<think>\nwhy\n</think>\n\nSo.\n";

  it.each<[string, readonly string[], string]>([
    ["thinks, between tags where nothing can be dimmed", [], thoughtful],
    ["thinks with --think", ["--think"], thoughtful],
    ["answers at once with --no-think", ["--no-think"], "So.\n"],
    ["gives variables to the template", ["--template-var", "enable_thinking=false"], "So.\n"],
    ["ends a thought", ["--max-thinking-tokens", "1"], "<think>\nw\n</think>\n\nSo.\n"],
    ["ends a thought before it begins", ["--max-thinking-tokens", "0"], "So.\n"],
  ])("%s", async (_, flags, expected) => {
    expect(await talk("Hi\n", flags)).toMatchObject({ status: 0, stdout: expected });
  });

  it("switches by commands, continues answers, and lists the commands", async () => {
    const { stdout, stderr } = await talk("/no_think\nHi\n/think\nHi\n/help\n", ["-n", "8"]);
    // "<think>why</think>\n\nSo" are eight tokens.
    expect(stdout).toBe(`So.\n${thoughtful.replace(".", "")}`);
    expect(stderr).toMatch(/thinking is off\nthinking is on\n/);
    for (const command of ["/think", "/no_think", "/continue"]) expect(stderr).toContain(`\n${command} `);
    expect((await talk("Hi\n/continue\n", ["-n", "8"])).stdout).toBe(`${thoughtful.replace(".", "")}.\n`);
  });

  it("saves thoughts, and loads them", async () => {
    const file = join(folder, "saved.json");
    await talk(`Hi\n/save ${file}\n`);
    const saved = JSON.parse(await readFile(file, "utf8")) as { messages: unknown[] };
    expect(saved.messages[1]).toEqual({ role: "assistant", content: "So.", thinking: "why" });
    await writeFile(
      file,
      JSON.stringify({ messages: [saved.messages[0], { role: "assistant", content: "S" }] }),
    );
    expect((await talk(`/load ${file}\n/continue\n`)).stdout).toBe("o.\n");
    await writeFile(file, '{"messages":[{"role":"assistant","content":"S","thinking":1}]}');
    expect(await talk(`/load ${file}\n`)).toMatchObject({ status: 2 });
  });

  it.each<[readonly string[], number, RegExp]>([
    [["--template-var", "x"], 2, /enable_thinking=false/],
    [["--template-var", "messages=1"], 2, /"messages": templates are always given their own/],
    [["--max-thinking-tokens", "-1"], 2, /--max-thinking-tokens/],
    [["--think", "--template-var", "enable_thinking=false"], 2, /contrary/],
  ])("refuses %j", async (flags, status, message) => {
    const result = await talk("Hi\n", flags);
    expect(result).toMatchObject({ status, stdout: "" });
    expect(result.stderr).toMatch(message);
  });

  it("refuses thoughts of a model without them", async () => {
    const result = await runCli(["chat", "-t", "1", "--think"], "Hi\n");
    expect(result).toMatchObject({ status: 2, stdout: "" });
    expect(result.stderr).toMatch(/does not support thinking/);
    expect((await runCli(["chat", "-t", "1"], "/think\n")).stderr).toMatch(/does not support thinking/);
  });
});

describe("a printed answer", () => {
  it("has its thought dimmed on a terminal", () => {
    const print = (pieces: readonly (readonly [string, boolean])[]): string => {
      let written = "";
      const printer = createAnswerPrinter((text) => (written += text), { dims: true });
      for (const [text, isThought] of pieces)
        printer.print({ text, tokenId: 0, ...(isThought && { thinking: true }) });
      printer.end();
      return written;
    };
    expect(
      print([
        ["", true],
        ["wh", true],
        ["y", true],
        ["", true],
        ["So", false],
        [".", false],
      ]),
    ).toBe("\x1b[2mwhy\x1b[22m\n\nSo.\n");
    expect(print([["wh", true]])).toBe("\x1b[2mwh\x1b[22m\n");
    expect(print([["So.", false]])).toBe("So.\n");
  });
});
