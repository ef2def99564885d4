import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HubServer, repoOf, startHubServer } from "../support/hub-server.js";
import { codeBlocks, type CodeBlock, guidePages } from "../support/markdown-code.js";
import { finishCli } from "../support/run-cli.js";
import { makeThinkingModel } from "../support/thinking-model.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const storyteller = readFileSync(join(root, "models", "storyteller.gguf"));

/** Real names on the hub, and the small model that a hub on this machine serves under each name. */
const models: Readonly<Record<string, "storyteller" | "thinking">> = {
  "microsoft/bitnet-b1.58-2B-4T-gguf": "storyteller",
  "owner/repo": "storyteller",
  "prism-ml/Ternary-Bonsai-1.7B-gguf": "thinking",
};

const question = {
  question: "What does a fox drink?",
  choices: { text: ["Water", "Stones"], label: ["A", "B"] },
  answerKey: "A",
};

/** Files beside each program, by the names that the guide uses. */
const files: Readonly<Record<string, string | Uint8Array>> = {
  "model.gguf": storyteller,
  "bitnet-b1.58-2B-4T": storyteller,
  "story.txt": "The king had three daughters, and the youngest was fair. ".repeat(60),
  "ARC-Easy-Test.jsonl": `${JSON.stringify(question)}\n`,
};

/** Run by test/server/guide.test.ts, against a server. */
const pagesRunElsewhere = ["docs/guide/clients.md"];

const blocks = guidePages()
  .filter((page) => !pagesRunElsewhere.includes(page))
  .flatMap((page) => codeBlocks(page, ["js", "mjs", "ts"]));
const isRun = ({ note }: CodeBlock): boolean => !note.startsWith("no-run");

describe("programs in README.md and docs/guide", () => {
  let hub: HubServer;
  let folder: string;

  beforeAll(async () => {
    hub = await startHubServer();
    const bytes = { storyteller, thinking: (await makeThinkingModel()).bytes };
    for (const [name, model] of Object.entries(models))
      hub.repos.set(name, repoOf({ "model.gguf": bytes[model] }));
    folder = await mkdtemp(join(tmpdir(), "bitnet-snippets-"));
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    await cp(join(root, "dist", "worker.js"), join(folder, "worker.js"));
    await mkdir(join(folder, "node_modules"));
    await symlink(root, join(folder, "node_modules", "bitnet-wasm"), "junction");
  });
  afterAll(async () => {
    await hub.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("is not run only with a reason, and then parses", () => {
    for (const { at, note, code } of blocks.filter((block) => !isRun(block))) {
      expect(note, at).toMatch(/^no-run: \w+/);
      const { diagnostics } = ts.transpileModule(code, { reportDiagnostics: true });
      expect(diagnostics, at).toEqual([]);
    }
    expect(blocks.filter((block) => !isRun(block)).length).toBeLessThanOrEqual(3);
  });

  it.each(blocks.filter(isRun).map((block) => [block.at, block] as const))(
    "%s runs and ends by itself",
    async (at, { code, language, note }) => {
      // Node.js 20 and 22 do not know it.
      expect(code).not.toMatch(/^\s*(await )?using /m);
      const name = `${at.replaceAll(/\W+/g, "-")}.${note === "commonjs" ? "cjs" : "mjs"}`;
      await linkPackages(code);
      await writeFile(join(folder, name), language === "ts" ? withoutTypes(code) : code);
      const child = spawn(process.execPath, [name], {
        cwd: folder,
        env: { ...process.env, HF_ENDPOINT: hub.endpoint, HF_HOME: join(folder, "cache"), HF_HUB_CACHE: "" },
      });
      child.stdin.end();
      const { stderr, status } = await finishCli(child);
      expect(status, stderr).toBe(0);
      expect(stderr).not.toMatch(/warning/i);
    },
  );

  /** Other packages that a program imports. */
  async function linkPackages(code: string): Promise<void> {
    // A package's name has one part, or two after an @.
    for (const [, name = ""] of code.matchAll(/from "((?:@[\w.-]+\/)?\w[\w.-]*)[/\w.-]*"/g)) {
      const path = join(folder, "node_modules", name);
      if (existsSync(path)) continue;
      await mkdir(dirname(path), { recursive: true });
      await symlink(join(root, "node_modules", name), path, "junction");
    }
  }
});

function withoutTypes(code: string): string {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  return outputText;
}
