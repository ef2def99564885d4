import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { runScript } from "../support/run-script.js";

/** The smallest tree without a problem: one import of a lower layer, and one allowed kernel call. */
const soundTree = {
  "src/errors.ts": `export class BitNetError extends Error {}`,
  "src/platform/node-host.ts": `import { cpus } from "node:os"; export const threads = cpus().length + process.pid;`,
  "src/text/tokenizer.ts": `import { BitNetError } from "../errors.js"; export const Failure = BitNetError;`,
  "src/wasm/kernels.ts": `export interface Kernels {
    readonly matmul_ternary_i8: (rows: number) => void;
    matmul_ternary_i16(rows: number): void;
    gate_silu(rows: number): void;
  }`,
  "src/graph/operations.ts": `import type { Kernels } from "../wasm/kernels.js";
    export const run = (kernels: Kernels): void => kernels.gate_silu(1);`,
  "src/server/openai/routes.ts": `import { read } from "../requests/body.js"; export const chat = read;`,
  "src/server/requests/body.ts": `export const read = 1;`,
};

let folder: string | undefined;
afterEach(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true });
  folder = undefined;
});

/** The report of the check on the sound tree with some files added or replaced. */
async function checkLayers(
  changes: Readonly<Record<string, string>>,
): Promise<{ status: unknown; text: string }> {
  folder = mkdtempSync(join(tmpdir(), "layers-"));
  for (const [name, text] of Object.entries({ ...soundTree, ...changes })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const { status, stdout, stderr } = await runScript("scripts/layers.mjs", [folder]);
  return { status, text: stderr + stdout };
}

describe("scripts/layers.mjs", () => {
  it("finds nothing in a sound tree", async () => {
    expect(await checkLayers({})).toEqual({ status: 0, text: "layers: 0 problems\n" });
  });

  const faults: Readonly<
    Record<string, readonly [changes: Readonly<Record<string, string>>, problem: string]>
  > = {
    "a circle of two files": [
      {
        "src/cli/flags.ts": `import { main } from "./main.js"; export const flags = main;`,
        "src/cli/main.ts": `import { flags } from "./flags.js"; export const main = (): unknown => flags;`,
      },
      "src/cli/flags.ts: a circle of files: src/cli/flags.ts → src/cli/main.ts → src/cli/flags.ts",
    ],
    "a circle of types through three files": [
      {
        "src/text/a.ts": `import type { B } from "./b.js"; export interface A { b: B }`,
        "src/text/b.ts": `export type { C } from "./c.js"; export type B = 1;`,
        "src/text/c.ts": `export type C = import("./a.js").A;`,
      },
      "src/text/a.ts → src/text/b.ts → src/text/c.ts → src/text/a.ts",
    ],
    "a circle in the trainer": [
      {
        "training/train.py": "def f():\n    from test_fast import compare\n",
        "training/test_fast.py": "import train\n",
      },
      "training/test_fast.py → training/train.py → training/test_fast.py",
    ],
    "an import that goes up": [
      { "src/errors.ts": `import "./text/unicode.js";`, "src/text/unicode.ts": "" },
      "src/errors.ts: imports src/text/unicode.ts, which lies above it",
    ],
    "parts that must not know each other": [
      { "src/model/model.ts": `import "../text/unicode.js";`, "src/text/unicode.ts": "" },
      `"model" and "text" must not know each other`,
    ],
    "a folder without a line": [{ "src/misc/sum.ts": "" }, `src/misc/sum.ts: "misc" has no line`],
    "a module of Node.js in src/text": [
      { "src/text/files.ts": `import "node:fs";` },
      `src/text/files.ts: imports "node:fs"; only the platform may`,
    ],
    "a module of Node.js by its old name, loaded late": [
      { "src/text/files.ts": `export const files = import("fs/promises");` },
      `src/text/files.ts: imports "fs/promises"; only the platform may`,
    ],
    "a global of Node.js": [
      { "src/text/bytes.ts": `\nexport const bytes = Buffer.alloc(1);` },
      `src/text/bytes.ts:2: uses "Buffer"; only the platform may`,
    ],
    "a kernel called from src/cli": [
      { "src/cli/main.ts": `export const run = (kernels: any): void => kernels.gate_silu(1);` },
      "src/cli/main.ts:1: uses a kernel (gate_silu)",
    ],
    "a kernel called by a computed name from src/cli": [
      {
        "src/cli/main.ts":
          "export const run = (kernels: any, form: string) => kernels[`matmul_ternary_${form}`]();",
      },
      "src/cli/main.ts:1: uses a kernel by a computed name (kernels[`matmul_ternary_${form}`])",
    ],
    "a kernel taken out of its table by a variable": [
      { "src/cli/main.ts": `export const run = (kernelsOf: any, name: string) => kernelsOf(0)[name]();` },
      "src/cli/main.ts:1: uses a kernel by a computed name (kernelsOf(0)[name])",
    ],
    "the name of a kernel composed where kernels may be called": [
      {
        "src/graph/gates.ts": "export const run = (kernels: any, gate: string) => kernels[`gate_${gate}`]();",
      },
      `src/graph/gates.ts:1: composes the name of a kernel ("gate_…")`,
    ],
    "a protocol of the server that imports another": [
      { "src/server/ollama/routes.ts": `import "../openai/routes.js";` },
      "src/server/ollama/routes.ts: imports src/server/openai/routes.ts: protocols of the server must not know",
    ],
    "requests that know a protocol": [
      { "src/server/requests/sampling.ts": `import "../openai/routes.js";` },
      "src/server/requests/sampling.ts: imports src/server/openai/routes.ts: protocols of the server must not know",
    ],
    "no kernels at all": [{ "src/wasm/kernels.ts": "" }, "src/wasm: no names of kernels found"],
  };
  it.each(Object.entries(faults))("refuses %s", async (_, [changes, problem]) => {
    const { status, text } = await checkLayers(changes);
    expect(status).toBe(1);
    expect(text).toContain(problem);
  });

  it("ignores names that only resemble a host's or a kernel's", async () => {
    const text = `import type { Buffer } from "./plan.js";
      export interface Row extends Buffer { readonly process: number }
      export const kind = (row: Row, n: number) => \`call_\${row.process + n}\`;`;
    const { status } = await checkLayers({
      "src/text/rows.ts": text,
      "src/text/plan.ts": "export type Buffer = 1;",
    });
    expect(status).toBe(0);
  });
});
