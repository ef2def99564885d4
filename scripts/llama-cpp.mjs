// node-llama-cpp for comparisons, with its prebuilt binaries, in .cache/llama-cpp. The package does not
// depend on it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Results compare only within one version. */
export const llamaCppVersion = "3.22.1";
const { platform, arch } = process;
/** The packages of GPUs have 640 MB more, so only the one for the CPU is installed. */
const binaries =
  { "darwin-arm64": "mac-arm64-metal", "darwin-x64": "mac-x64", "linux-arm": "linux-armv7l" }[
    `${platform}-${arch}`
  ] ?? `${platform.replace("win32", "win")}-${arch}`;

/**
 * Installs node-llama-cpp if it is not there yet.
 *
 * @returns the URL of its module, or why there is none.
 */
export function installLlamaCpp(root) {
  const at = join(root, ".cache", "llama-cpp", llamaCppVersion);
  const module = join(at, "node_modules", "node-llama-cpp", "dist", "index.js");
  const native = join(at, "node_modules", "@node-llama-cpp", binaries);
  const isThere = () => existsSync(module) && existsSync(native);
  if (!isThere()) {
    console.error("Installing node-llama-cpp into .cache/llama-cpp (prebuilt, no build)");
    mkdirSync(at, { recursive: true });
    const dependencies = {
      "node-llama-cpp": llamaCppVersion,
      [`@node-llama-cpp/${binaries}`]: llamaCppVersion,
    };
    writeFileSync(
      join(at, "package.json"),
      JSON.stringify({ name: "llama-cpp", private: true, dependencies }),
    );
    const { status, stderr } = spawnSync(
      "npm",
      [
        "install",
        "--ignore-scripts",
        "--omit=optional",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
      ],
      { cwd: at, encoding: "utf8", shell: platform === "win32" },
    );
    if (status !== 0 || !isThere()) {
      const [line = ""] = String(stderr ?? "")
        .trim()
        .split("\n");
      return { missing: `node-llama-cpp ${llamaCppVersion} could not be installed here: ${line}` };
    }
  }
  return { url: pathToFileURL(module).href };
}
