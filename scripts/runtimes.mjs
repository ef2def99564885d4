// `npm run test:runtimes`: the same tokens and the same logits, bit for bit, on every runtime that can be had
// here. Installs Node.js 20, 22, 24 and 26, Deno and Bun (scripts/runtime-binaries.mjs), and compares each
// with this Node.js. On Linux x64 it also runs Node.js for ARM64 in an emulator of Debian's packages.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureReady } from "./ensure-ready.mjs";
import { emulatedRuntime, installRuntime, isThisRuntime, runtimes } from "./runtime-binaries.mjs";

const root = ensureReady();
const tokens = join(root, "test", "runtimes", "tokens.mjs");
const emulator = "/usr/bin/qemu-aarch64-static";
const armLibraries = "/usr/aarch64-linux-gnu";

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

function run(name, binary, args, choice) {
  const { status, stdout, stderr } = spawnSync(binary, [...args, tokens, ...choice], {
    cwd: root,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${name} failed:\n${stdout}${stderr}`);
  return JSON.parse(stdout);
}

/** Permissions that Deno gets. The error of a load must then have the code, and name the flag. */
const refusals = [
  { given: [], code: "FILE_NOT_FOUND", flag: "--allow-read" },
  { given: ["--allow-read"], code: "WORKER_FAILED", flag: "--allow-env" },
];

/** @returns how many of Deno's refusals are not reported as they must be */
function checkRefusals(binary) {
  const model = join("models", "storyteller.gguf");
  const program = join("test", "runtimes", "permissions.mjs");
  return refusals.filter(({ given, code, flag }) => {
    const { status, stdout, stderr } = spawnSync(binary, ["run", ...given, program, model], {
      cwd: root,
      encoding: "utf8",
    });
    const error = status === 0 ? JSON.parse(stdout) : { message: `${stdout}${stderr}` };
    const right = error.code === code && error.message.includes(flag);
    const answer = right ? `${code}, which names it` : `WRONG: ${error.code}, ${error.message}`;
    console.log(`Deno without ${flag}: ${answer}`);
    return !right;
  }).length;
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
const choices = [["1"], ["3"], ["2", "simd128", "i8"]];
for (const choice of choices) compare("this Node.js", process.execPath, [], choice);
const others = runtimes.filter((runtime) => !isThisRuntime(runtime));
if (process.platform === "linux" && process.arch === "x64") others.push(emulatedRuntime);
for (const runtime of others) {
  if (runtime.emulated && !haveEmulator()) {
    console.log(
      `${runtime.name}: NOT TESTED, ${emulator} or ${armLibraries} is missing and could not be installed`,
    );
    continue;
  }
  const { binary, missing } = installRuntime(root, runtime);
  if (missing !== undefined) {
    console.log(`${runtime.name}: NOT TESTED, ${missing}`);
    continue;
  }
  for (const choice of choices) {
    if (runtime.emulated) compare(runtime.name, emulator, ["-L", armLibraries, binary], choice);
    else compare(runtime.name, binary, runtime.args, choice);
  }
  if (runtime.id === "deno") different += checkRefusals(binary);
}
process.exit(different === 0 ? 0 : 1);
