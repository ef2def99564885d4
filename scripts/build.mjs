// Builds what is out of date: AssemblyScript → WebAssembly → base64 modules in src/wasm/generated, then
// TypeScript → dist. `--force` builds everything. Runs before `npm start`, `npm test` and `npm pack`.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";
import { makePatch } from "./binary-patch.mjs";
import { kernelTypes } from "./kernel-signatures.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const generated = join(root, "src", "wasm", "generated");
const stampFile = join(root, "build", "stamp.json");
/** Published builds, embedded as base64: users need not configure the path of an asset. */
const shippedTargets = ["simd128", "relaxed"];
const targets = [...shippedTargets, "debug"];
/** Scripts whose change makes kernels stale. */
const kernelScripts = [
  "scripts/binary-patch.mjs",
  "scripts/build.mjs",
  "scripts/kernel-signatures.mjs",
  "scripts/tiles.mjs",
  "scripts/base3-tiles.mjs",
  "scripts/lookup-tiles.mjs",
];
/** Scripts whose change makes dist stale. */
const buildScripts = ["scripts/bundle-worker.mjs", "scripts/bundle-node.mjs", "scripts/license-notices.mjs"];
/** Functions of a release build that may contain calls: the mathematics of the tables made once at load. */
const mayCall = /rope_(table|frequencies|magnitude)|NativeMath/;

function run(script, args) {
  const { status } = spawnSync(process.execPath, [join(root, "node_modules", script), ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) throw new Error(`${script} failed`);
}

/** One number for the contents of some files and folders. */
function fingerprint(paths) {
  const hash = createHash("sha256");
  const visit = (path) => {
    if (!existsSync(path)) return;
    if (path === generated) return;
    let entries;
    try {
      entries = readdirSync(path).sort();
    } catch {
      hash.update(path.slice(root.length)).update(readFileSync(path));
      return;
    }
    for (const entry of entries) visit(join(path, entry));
  };
  for (const path of paths) visit(join(root, path));
  return hash.digest("hex");
}

/** A helper that was not inlined costs a call per row or per block: refuse to ship it. */
function refuseCalls(target) {
  let current = "";
  for (const line of readFileSync(join(root, "build", `${target}.wat`), "utf8").split("\n")) {
    const start = /^ \(func \$(\S+)/.exec(line);
    if (start) current = start[1];
    else if (/^\s*call /.test(line) && !mayCall.test(current)) {
      throw new Error(
        `${target} build: "${current}" contains a call (${line.trim()}); mark the callee @inline`,
      );
    }
  }
}

function buildKernels() {
  // A module of an earlier version must not be shipped.
  rmSync(generated, { recursive: true, force: true });
  mkdirSync(generated, { recursive: true });
  for (const target of targets) {
    const text = join("build", `${target}.wat`);
    run("assemblyscript/bin/asc.js", ["--config", "asconfig.json", "--target", target, "--textFile", text]);
  }
  writeFileSync(join(generated, "kernels.ts"), kernelTypes());
  for (const target of shippedTargets) refuseCalls(target);
  const [simd128, relaxed] = shippedTargets.map((target) =>
    readFileSync(join(root, "build", `${target}.wasm`)),
  );
  writeModule("simd128", simd128);
  // Most kernels are the same bytes in both builds: 72 kB for both, not 115.
  writeModule("relaxed-patch", makePatch(simd128, relaxed));
}

/** Bytes as a module. Base64 of the bytes themselves is compressed badly by web servers: +50%. */
function writeModule(name, bytes) {
  const base64 = deflateRawSync(bytes, { level: 9 }).toString("base64");
  writeFileSync(
    join(generated, `${name}.ts`),
    `// Made by scripts/build.mjs from assembly/.\nexport const deflatedBase64: string =\n  "${base64}";\n`,
  );
}

const force = process.argv.includes("--force");
const wanted = {
  kernels: fingerprint(["assembly", ...kernelScripts, "asconfig.json"]),
  types: fingerprint([
    "assembly",
    "src",
    "asconfig.json",
    "tsconfig.json",
    ...kernelScripts,
    ...buildScripts,
    "package.json",
  ]),
};
let have = {};
try {
  have = JSON.parse(readFileSync(stampFile, "utf8"));
} catch {
  // Never built, or the stamp was lost: build.
}
const generatedThere = ["kernels", "simd128", "relaxed-patch"].every((name) =>
  existsSync(join(generated, `${name}.ts`)),
);
const kernelsStale = force || have.kernels !== wanted.kernels || !generatedThere;
if (kernelsStale) {
  console.error("Building kernels (AssemblyScript → WebAssembly)");
  buildKernels();
}
if (kernelsStale || have.types !== wanted.types || !existsSync(join(root, "dist", "index.js"))) {
  console.error("Building TypeScript");
  // Output of a deleted source file must not be shipped.
  rmSync(join(root, "dist"), { recursive: true, force: true });
  run("typescript/bin/tsc", ["-p", "tsconfig.json"]);
  const { bundleWorker } = await import("./bundle-worker.mjs");
  const inWorkers = await bundleWorker(root);
  const { bundleNode } = await import("./bundle-node.mjs");
  const inNodeFiles = await bundleNode(root);
  const { writeLicenseNotices } = await import("./license-notices.mjs");
  writeLicenseNotices(root, [...inWorkers, ...inNodeFiles]);
  // `npx bitnet` in a clone runs the file itself, and npm makes it executable only when it first links it.
  chmodSync(join(root, "dist", "node", "bitnet.js"), 0o755);
}
mkdirSync(join(root, "build"), { recursive: true });
writeFileSync(stampFile, JSON.stringify(wanted));
