import { execFile } from "node:child_process";
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { transpileModule, ModuleKind, ScriptTarget } from "typescript";
import { expect, it } from "vitest";

const run = promisify(execFile);
const examples = new URL("../../examples/", import.meta.url);

/** The code of a README's first TypeScript block, as a user would paste it. */
async function readmeExample(): Promise<string> {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  if (block === undefined) throw new Error("the README has no TypeScript block");
  return block;
}

async function output(name: string, source: string): Promise<string> {
  const compiled = transpileModule(source, {
    compilerOptions: { module: ModuleKind.ESNext, target: ScriptTarget.ES2022 },
  });
  const file = new URL(`${name}.tmp.mjs`, examples);
  await writeFile(file, compiled.outputText);
  try {
    return (await run(process.execPath, [file.pathname])).stdout;
  } finally {
    await rm(file);
  }
}

it("the README's example writes text", async () => {
  expect((await output("readme", await readmeExample())).length).toBeGreaterThan(50);
});

it("every example runs and prints something", async () => {
  const names = (await readdir(examples)).filter((name) => name.endsWith(".ts"));
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    const printed = await output(name, await readFile(new URL(name, examples), "utf8"));
    expect(printed.trim(), name).not.toBe("");
  }
});
