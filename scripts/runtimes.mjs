// `npm run test:runtimes`: the same tokens and the same logits, bit for bit, on every runtime that can be had here.
// Installs Node.js 22 and 24, Deno and Bun from the npm registry into .cache/runtimes, and compares each with this Node.js.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureReady } from "./ensure-ready.mjs";

const root = ensureReady();
const folder = join(root, ".cache", "runtimes");
const { platform, arch } = process;
const musl = platform === "linux" && process.report.getReport().header.glibcVersionRuntime === undefined;
const bunArch = arch === "arm64" ? "aarch64" : arch;
const denoTarget = { linux: `linux-${arch}-glibc`, darwin: `darwin-${arch}`, win32: `win32-${arch}` }[
  platform
];
const exe = platform === "win32" ? ".exe" : "";
const tokens = join(root, "test", "runtimes", "tokens.mjs");

/** Runtimes as packages that hold the binary itself: none needs an install script. */
const runtimes = [
  { name: "Node.js 22", package: `node-${platform}-${arch}@22`, binary: `node/bin/node${exe}`, args: [] },
  { name: "Node.js 24", package: `node-${platform}-${arch}@24`, binary: `node/bin/node${exe}`, args: [] },
  { name: "Deno", package: `@deno/${denoTarget}@^2.9`, binary: `deno/deno${exe}`, args: ["run", "-A"] },
  {
    name: "Bun",
    package: `@oven/bun-${platform}-${bunArch}${musl ? "-musl" : ""}@^1.4`,
    binary: `bun/bin/bun${exe}`,
    args: [],
  },
];

function install(runtime, index) {
  const at = join(folder, String(index));
  const alias = runtime.binary.split("/")[0];
  const binary = join(at, "node_modules", runtime.binary);
  if (existsSync(binary)) return binary;
  mkdirSync(at, { recursive: true });
  const manifest = { name: "runtimes", private: true, dependencies: { [alias]: `npm:${runtime.package}` } };
  writeFileSync(join(at, "package.json"), JSON.stringify(manifest));
  const { status, stderr } = spawnSync(
    "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"],
    {
      cwd: at,
      encoding: "utf8",
      shell: platform === "win32",
    },
  );
  if (status !== 0 || !existsSync(binary)) {
    console.log(
      `${runtime.name}: NOT TESTED, ${runtime.package} could not be installed here: ${stderr.trim().split("\n")[0]}`,
    );
    return undefined;
  }
  return binary;
}

function run(name, binary, args, choice) {
  const { status, stdout, stderr } = spawnSync(binary, [...args, tokens, ...choice], {
    cwd: root,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${name} failed:\n${stdout}${stderr}`);
  return JSON.parse(stdout);
}

let different = 0;
const expected = run("this Node.js", process.execPath, [], ["1"]);
console.log(
  `Node.js ${process.versions.node}: ${expected.kernelBuild}, logits ${expected.bits.slice(0, 16)}`,
);
function compare(name, binary, args, choice) {
  const got = run(name, binary, args, choice);
  const same = got.ids === expected.ids && got.bits === expected.bits;
  if (!same) different += 1;
  console.log(
    `${name}, ${choice[0]} threads, ${got.kernelBuild}: ${same ? "same tokens, same bits" : "DIFFERENT"}`,
  );
}
const choices = [["1"], ["3"], ["2", "simd128", "plain"]];
for (const choice of choices) compare("this Node.js", process.execPath, [], choice);
for (const [index, runtime] of runtimes.entries()) {
  const binary = install(runtime, index);
  if (binary !== undefined) for (const choice of choices) compare(runtime.name, binary, runtime.args, choice);
}
process.exit(different === 0 ? 0 : 1);
