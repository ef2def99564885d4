// `npm run bench:walk`: the first minutes of a new user. Each package is installed in an empty folder with an
// empty npm cache, and writes a first token there.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { llamaCppVersion } from "./llama-cpp.mjs";

const help = `Installs bitnet-wasm, node-llama-cpp and transformers.js in empty folders and prints a table:
seconds, megabytes and packages of "npm install", and the time to a first token.

Usage: npm run bench:walk -- [options]

  --model FILE     GGUF for bitnet-wasm; without it, the model in the package
  --rival FILE     GGUF for node-llama-cpp; without it, the time of the import
  --json FILE      also write the results to a file
  --help           show this text

transformers.js reads ONNX models from the Hub. Its row has the time of the import. Its install script would also
download CUDA from GitHub; here it does not.`;

const { values: options } = parseArgs({
  options: {
    model: { type: "string" },
    rival: { type: "string" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(help);
  process.exit(0);
}

const transformersVersion = "3.8.1";
const root = resolve(import.meta.dirname, "..");
const [model, rival] = [options.model, options.rival].map((file) =>
  file === undefined ? undefined : JSON.stringify(resolve(file)),
);

const ours = (file) => `
import { loadModel } from "bitnet-wasm";
const model = await loadModel(${file ?? ""});
for await (const piece of model.generate("Once upon a time", { maxTokens: 1 })) process.stdout.write(piece.text);
await model.dispose();
`;
const llama = (file) => `
import { getLlama, LlamaCompletion } from "node-llama-cpp";
const llama = await getLlama({ gpu: false, build: "never", progressLogs: false });
const model = await llama.loadModel({ modelPath: ${file} });
const context = await model.createContext({ contextSize: 512 });
const completion = new LlamaCompletion({ contextSequence: context.getSequence() });
process.stdout.write(await completion.generateCompletion("Once upon a time", { maxTokens: 1 }));
process.exit(0);
`;
const importOnly = (name) => `await import(${JSON.stringify(name)}); process.exit(0);`;

const tarballFolder = mkdtempSync(join(tmpdir(), "walk-pack-"));
process.once("exit", () => rmSync(tarballFolder, { recursive: true, force: true }));
// npm builds first.
const packed = run("npm", ["pack", "--json", "--pack-destination", tarballFolder], root);
const [{ filename, size }] = JSON.parse(packed.slice(packed.indexOf("[\n")));

const walks = [
  { name: "bitnet-wasm", install: join(tarballFolder, filename), program: ours(model), does: "first token" },
  {
    name: "node-llama-cpp",
    install: `node-llama-cpp@${llamaCppVersion}`,
    program: rival === undefined ? importOnly("node-llama-cpp") : llama(rival),
    does: rival === undefined ? "import" : "first token",
  },
  {
    name: "transformers.js",
    install: `@huggingface/transformers@${transformersVersion}`,
    program: importOnly("@huggingface/transformers"),
    does: "import",
    env: { ONNXRUNTIME_NODE_INSTALL_CUDA: "skip" },
  },
];

console.log(
  `The tarball has ${megabytes(size)} MB. Node.js ${process.versions.node}, ${process.platform} ${process.arch}.`,
);
const rows = walks.map(walk);
console.log("\n| package | npm install, s | downloaded, MB | on disk, MB | packages | then | s |");
console.log("| --- | ---: | ---: | ---: | ---: | --- | ---: |");
for (const row of rows) console.log(`| ${Object.values(row).join(" | ")} |`);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);

/** One package, from an empty folder. The program's second run counts: its files are in the cache then. */
function walk({ name, install, program, does, env }) {
  const folder = mkdtempSync(join(tmpdir(), "walk-"));
  try {
    const cache = join(folder, "npm-cache");
    const project = join(folder, "project");
    mkdirSync(project);
    run("npm", ["init", "-y"], project);
    run("npm", ["pkg", "set", "type=module"], project);
    const begunMs = performance.now();
    run("npm", ["install", "--no-audit", "--no-fund", "--cache", cache, install], project, env);
    const installMs = performance.now() - begunMs;
    const lock = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8"));
    const modules = join(project, "node_modules");
    // Optional packages for other platforms are in the lock file, but not on the disk.
    const packages = Object.keys(lock.packages).filter((path) => path !== "" && exists(join(project, path)));
    writeFileSync(join(project, "first.mjs"), program);
    let runMs = 0;
    for (let time = 0; time < 2; time += 1) {
      const startMs = performance.now();
      run(process.execPath, ["first.mjs"], project);
      runMs = performance.now() - startMs;
    }
    return {
      name: install.includes("@") ? `${name} ${install.slice(install.lastIndexOf("@") + 1)}` : name,
      installS: (installMs / 1000).toFixed(1),
      // The tarball of a file is not in npm's cache.
      downloadedMB: megabytes(bytesIn(cache) + (install.endsWith(".tgz") ? size : 0)),
      onDiskMB: megabytes(bytesIn(modules)),
      packages: packages.length,
      does,
      runS: (runMs / 1000).toFixed(2),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function exists(path) {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function bytesIn(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}

/** @returns what the command writes to its output. */
function run(command, args, cwd, env) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status === 0) return stdout;
  throw new Error(
    `${command} ${args.join(" ")} failed:\n${error?.message ?? `${stdout}${stderr}`.slice(-2000)}`,
  );
}
