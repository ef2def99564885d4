import { execFile, spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);
const examples = new URL("../../examples/", import.meta.url);

async function output(file: URL): Promise<string> {
  return (await run(process.execPath, [file.pathname])).stdout;
}

/** The first output of a server. The server is then stopped as by Ctrl-C. */
async function firstWords(file: URL): Promise<string> {
  const child = spawn(process.execPath, [file.pathname, "0"], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (part: Buffer) => {
    text += part.toString();
    child.kill("SIGINT");
  });
  const status = await new Promise((resolve) => child.once("exit", resolve));
  expect(status, file.pathname).toBe(0);
  return text;
}

it("every example runs and prints something", async () => {
  const names = (await readdir(examples)).filter((name) => /^[^.]+\.mjs$/.test(name));
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    const file = new URL(name, examples);
    const text = await (name.includes("server") ? firstWords(file) : output(file));
    expect(text.trim(), name).not.toBe("");
  }
});

it("the LangChain example finds the text with the same meaning", async () => {
  const lines = (await output(new URL("langchain-search.mjs", examples))).split("\n");
  expect(lines[0]).toBe("Who built a castle?");
  expect(lines[1]).toContain("king built a castle");
  const scores = lines.slice(1, 4).map((line) => Number.parseFloat(line));
  expect(scores).toEqual(scores.toSorted((a, b) => b - a));
  expect(scores[0]).toBeLessThanOrEqual(1);
});
