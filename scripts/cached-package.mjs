// Packages for comparisons, in a folder of .cache. The package does not depend on them.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Installs packages if they are not there yet, without their install scripts.
 *
 * `title` is the name in messages, with the version. `dependencies` has versions by name. `isThere` says
 * whether everything is there.
 *
 * @param at the folder.
 * @returns why something is missing. Undefined if nothing is.
 */
export function installCached(at, { title, dependencies, isThere }) {
  if (isThere()) return undefined;
  console.error(`Installing ${title} into .cache (prebuilt, no build)`);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "package.json"), JSON.stringify({ name: "cached", private: true, dependencies }));
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
    { cwd: at, encoding: "utf8", shell: process.platform === "win32" },
  );
  if (status === 0 && isThere()) return undefined;
  const [line = ""] = String(stderr ?? "")
    .trim()
    .split("\n");
  return `${title} could not be installed here: ${line}`;
}
