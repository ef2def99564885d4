// node-llama-cpp for comparisons, with its prebuilt binaries, in .cache/llama-cpp. The package does not
// depend on it.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { installCached } from "./cached-package.mjs";

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
  const missing = installCached(at, {
    title: `node-llama-cpp ${llamaCppVersion}`,
    dependencies: {
      "node-llama-cpp": llamaCppVersion,
      [`@node-llama-cpp/${binaries}`]: llamaCppVersion,
    },
    isThere: () => existsSync(module) && existsSync(native),
  });
  if (missing !== undefined) return { missing };
  return { url: pathToFileURL(module).href };
}
