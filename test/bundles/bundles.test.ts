import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { bundle, projectFolder } from "../support/bundle.js";
import { starterPath } from "../support/golden-path.js";

const worker = fileURLToPath(new URL("../../dist/worker.js", import.meta.url));

interface Output {
  readonly threads?: number;
  readonly text?: string;
  readonly code?: string;
  readonly message?: string;
}

/** The output of a program, also of one that failed. */
function outputOf(file: string, environment: Readonly<Record<string, string>>): Promise<Output> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, MODEL: starterPath, ...environment };
    execFile(process.execPath, [file], { env }, (error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout) as Output);
      } catch {
        reject(error ?? new Error(stderr));
      }
    });
  });
}

let text: string;
let folder: string;
beforeAll(async () => {
  const model = await loadModel(starterPath, { threads: 2 });
  text = await model.complete("Once upon a time", { maxTokens: 24, temperature: 0 });
  await model.dispose();
  folder = await projectFolder();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(["esm", "cjs"] as const)("a bundle for Node.js in the format %s", (format) => {
  let file: string;
  beforeAll(async () => {
    file = await bundle(folder, "program.mjs", { platform: "node", format });
  });

  it("runs without threads", async () => {
    expect(await outputOf(file, { THREADS: "0" })).toEqual({ threads: 0, text });
  });

  it("runs with the worker of the package", async () => {
    expect(await outputOf(file, { THREADS: "2", WORKER_URL: worker })).toEqual({ threads: 2, text });
  });

  it("says what it needs if it has no script for threads", async () => {
    expect(await outputOf(file, { THREADS: "2" })).toMatchObject({
      code: "WORKER_FAILED",
      message: expect.stringMatching(/give loadModel the option workerUrl or threads: 0$/),
    });
  });
});
