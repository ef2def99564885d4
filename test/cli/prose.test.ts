import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { runScript } from "../support/run-script.js";

let folder: string | undefined;
afterEach(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true });
  folder = undefined;
});

/** The report of the check on one file. */
async function checkProse(name: string, text: string): Promise<{ status: unknown; stderr: string }> {
  folder = mkdtempSync(join(tmpdir(), "prose-"));
  writeFileSync(join(folder, name), text);
  const { status, stderr } = await runScript("scripts/prose.mjs", [folder]);
  return { status, stderr };
}

const words = (count: number): string => Array.from({ length: count }, () => "word").join(" ");

describe("scripts/prose.mjs", () => {
  const faults: Readonly<Record<string, readonly [name: string, text: string, fault: string]>> = {
    "a doc comment that begins with a relative pronoun": [
      "a.ts",
      "const a = 1;\n/** What the reader wants. */\nexport const b = a;",
      "a.ts:2: begins with a relative pronoun: What",
    ],
    "a comment behind code": [
      "a.ts",
      "f(); // Those of it.",
      "a.ts:1: begins with a relative pronoun: Those",
    ],
    "a clause over two lines": [
      "a.mjs",
      "// It is left\n// to who needs it.",
      "a.mjs:1: a relative clause as a noun",
    ],
    "what as a noun": ["a.py", "# A list of what is there.", "a.py:1: what as a noun: of what"],
    "is none": ["a.ts", "/**\n * One.\n *\n * @returns a file that is none\n */", "a.ts:4: is none"],
    told: ["a.md", "# A title\n\n- The user is told.", "a.md:3: told"],
    "a sentence of 31 words over lines": [
      "a.md",
      `${words(20)}\n${words(11)}.`,
      "a.md:1: a long sentence: 31 words",
    ],
    "a table's cell": ["a.md", `| a |\n|---|\n| ${words(31)} |`, "a.md:3: a long sentence: 31 words"],
    "a long row of a kernel's contract": [
      "a.ts",
      `/**\n * Shapes    a\n * Exact     ${words(16)}\n *           ${words(15)}\n */`,
      "a.ts:3: a long sentence: 31 words",
    ],
    "prose before and after a formula": [
      "a.ts",
      `// ${words(16)}\n//   y = x\n// ${words(16)}\n// ${words(15)}.`,
      "a.ts:3: a long sentence: 31 words",
    ],
    "a long line of Markdown": ["a.md", `${words(20)}. ${words(5)}`, "a.md:1: a long line: 125 columns"],
    "a long line of a comment": ["a.ts", `// ${words(20)}. ${words(2)}`, "a.ts:1: a long line: 113 columns"],
  };
  it.each(Object.entries(faults))("finds %s", async (_, [name, text, fault]) => {
    const { status, stderr } = await checkProse(name, text);
    expect(stderr).toContain(fault);
    expect(status).toBe(1);
  });

  const sound: Readonly<Record<string, readonly [name: string, text: string]>> = {
    "a question": ["a.md", "What does it cost? Nothing."],
    "code, strings and quotations": [
      "a.ts",
      'export const text = `// Those who are told`;\n/** Says "What is none", or `told`.\n * ```ts\n * told(of what);\n * ```\n */',
    ],
    "two sentences, and items of a list": [
      "a.md",
      `${words(20)}. ${words(3)}\n\n- ${words(20)}\n- ${words(20)}`,
    ],
    "the failures of a function": [
      "a.ts",
      `/**\n * @throws Error ${words(15)};\n *   ${words(15)}; ${words(4)}\n */`,
    ],
    "a kernel's contract, its formula and its pseudo-code": [
      "a.ts",
      `/**\n * y[r] += ${words(15)}\n * z = ${words(15)}\n *\n * Shapes    ${words(8)} · ${words(8)} ·\n *           ${words(15)} · a\n * Types     ${words(15)}\n *\n *   for each ${words(14)}\n *     ${words(16)}\n * gap   ${words(15)}\n */`,
    ],
    "a table and an address": [
      "a.md",
      `| ${words(20)}. ${words(20)}. |\n\n<https://example.org/${"a".repeat(120)}>`,
    ],
    "a long line of code": ["a.ts", `export const a = "${words(30)}"; // Short.`],
  };
  it.each(Object.entries(sound))("accepts %s", async (_, [name, text]) => {
    expect(await checkProse(name, text)).toEqual({ status: 0, stderr: "" });
  });
});
