import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { embeddedModelUrl, loadModel } from "#dist/index.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = new URL("../../dist/node/", import.meta.url);

/** The imports of a file in dist/node, except those of a later `import()`. */
async function importsOf(file: string): Promise<string[]> {
  const text = await readFile(new URL(file, folder), "utf8");
  return [...text.matchAll(/^(?:import|export) (?:[^;"]*? from )?"([^"]+)";/gm)].map(([, name = ""]) => name);
}

/** All that a file in dist/node loads: files of the folder, and packages and parts of Node.js by name. */
async function loadedBy(file: string): Promise<{ files: string[]; packages: string[]; builtins: string[] }> {
  const files = [file];
  const others = new Set<string>();
  for (const each of files)
    for (const name of await importsOf(each)) {
      if (!name.startsWith(".")) others.add(name);
      else if (!files.includes(name.slice(2))) files.push(name.slice(2));
    }
  const names = [...others].sort();
  return {
    files,
    packages: names.filter((name) => !isBuiltin(name)),
    builtins: names.filter((name) => isBuiltin(name)),
  };
}

/** The output of a program that imports the package by its name, as users do. */
async function outputOf(program: string): Promise<unknown> {
  const args = ["--input-type=module", "--eval", program];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  return JSON.parse(stdout);
}

describe("the files of dist/node", () => {
  it("import each other only, and no module of dist", async () => {
    const files = (await readdir(folder)).filter((file) => file.endsWith(".js"));
    expect(files).toEqual(expect.arrayContaining(["index.js", "ai-sdk.js", "bitnet.js", "worker-script.js"]));
    for (const file of files) {
      const relative = (await importsOf(file)).filter((name) => name.startsWith("."));
      for (const name of relative) expect(files, file).toContain(name.replace(/^\.\//, ""));
    }
  });

  it("are few for the library, with the packages that it needs at once", async () => {
    const { files, packages, builtins } = await loadedBy("index.js");
    expect(files.length).toBeLessThanOrEqual(4);
    // Not zod, hono and the downloader: `import()` loads them when they are needed.
    expect(packages).toEqual(["@assemblyscript/loader", "@huggingface/jinja", "hono/utils/buffer"]);
    expect(builtins).not.toContain("node:crypto");
  });

  it("are fewer for the thread of a team", async () => {
    const { files, packages } = await loadedBy("worker-script.js");
    expect(files.length).toBeLessThanOrEqual(3);
    expect(packages).toEqual(["@assemblyscript/loader"]);
  });

  it("run the model in threads, in a worker and behind a server, and share their classes", async () => {
    const output = await outputOf(`
      import { BitNetError, createServer, createWorkerModel, embeddedModelUrl, loadModel } from "bitnet-wasm";
      import { bitnet } from "bitnet-wasm/ai-sdk";
      const options = { maxTokens: 12, temperature: 0 };
      const model = await loadModel(embeddedModelUrl, { threads: 2 });
      const worker = await createWorkerModel(embeddedModelUrl, { threads: 1 });
      const server = createServer(model);
      const response = await server.fetch(new Request("http://localhost/v1/models"));
      const refuse = () => { try { bitnet({}); } catch (error) { return error; } };
      const output = {
        model: embeddedModelUrl.href,
        text: await model.complete("Once upon a time", options),
        workerText: await worker.complete("Once upon a time", options),
        status: response.status,
        specification: bitnet(model).specificationVersion,
        shared: refuse() instanceof BitNetError,
      };
      await worker.dispose();
      await model.dispose();
      console.log(JSON.stringify(output));`);
    const model = await loadModel(embeddedModelUrl, { threads: 2 });
    const text = await model.complete("Once upon a time", { maxTokens: 12, temperature: 0 });
    await model.dispose();
    expect(output).toEqual({
      model: new URL("../../models/storyteller.gguf", import.meta.url).href,
      text,
      workerText: text,
      status: 200,
      specification: "v3",
      shared: true,
    });
  });

  it("leave the messages of a worker that imports the library to this worker", async () => {
    const output = await outputOf(`
      import { Worker } from "node:worker_threads";
      const code = 'const { parentPort } = require("node:worker_threads");' +
        'import("bitnet-wasm").then(() => parentPort.postMessage(parentPort.listenerCount("message")));';
      new Worker(code, { eval: true, execArgv: [] }).once("message", (count) => console.log(count));`);
    expect(output).toBe(0);
  });
});
