// wllama for comparisons, in .cache/wllama. The package does not depend on it.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { installCached } from "./cached-package.mjs";

/** Results compare only within one version. */
export const wllamaVersion = "3.13.0";

/**
 * Installs wllama if it is not there yet.
 *
 * @returns the folder of its module and its wasm, or why there is none.
 */
export function installWllama(root) {
  const at = join(root, ".cache", "wllama", wllamaVersion);
  const folder = join(at, "node_modules", "@wllama", "wllama", "esm");
  const missing = installCached(at, {
    title: `wllama ${wllamaVersion}`,
    dependencies: { "@wllama/wllama": wllamaVersion },
    isThere: () => existsSync(join(folder, "index.js")),
  });
  return missing === undefined ? { folder } : { missing };
}
