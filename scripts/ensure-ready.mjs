// Makes a fresh clone usable: installs what package-lock.json names if that has not been done, and builds
// what is stale.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * npm writes what it installed to node_modules/.package-lock.json: the same packages and versions mean
 * nothing to do.
 */
function installed() {
  const record = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(record)) return false;
  const have = JSON.parse(readFileSync(record, "utf8")).packages;
  const want = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  return Object.entries(want).every(
    ([path, entry]) => path === "" || entry.optional || have[path]?.version === entry.version,
  );
}

export function ensureReady() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`bitnet-wasm needs Node.js 20.19 or newer; this is ${process.version}`);
    process.exit(1);
  }
  if (!installed()) {
    console.error("Installing packages");
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    // Without install scripts: no dependency needs one, and our own build comes next.
    const { status } = spawnSync(
      npm,
      ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
      {
        cwd: root,
        stdio: ["ignore", process.stderr, process.stderr],
        shell: process.platform === "win32",
      },
    );
    if (status !== 0) {
      console.error("npm ci failed: check the network and the npm registry, then run the command again");
      process.exit(status ?? 1);
    }
  }
  const build = spawnSync(process.execPath, [join(root, "scripts", "build.mjs")], {
    cwd: root,
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (build.status !== 0) process.exit(build.status ?? 1);
  return root;
}
