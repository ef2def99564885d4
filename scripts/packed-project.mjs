// A project as a user has it: the package as npm would publish it, and tools, installed from npm in a folder.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endIfOffline } from "./npm-registry.mjs";

const npmInstall = "install --ignore-scripts --no-audit --no-fund --no-package-lock --prefer-offline";

/**
 * With `--skip-offline`, ends the process if npm cannot reach its registry.
 *
 * @param root the package's folder, built
 * @param tools exact versions by name
 * @returns the path of the tarball.
 * @throws Error with the output of a command that fails.
 */
export function installPackedProject(root, folder, tools) {
  mkdirSync(folder, { recursive: true });
  // The declarations are one file for each entry, which `npm pack` alone would make with its scripts.
  const extractor = join(root, "node_modules", "@microsoft", "api-extractor", "bin", "api-extractor");
  for (const config of ["api-extractor.json", "api-extractor-ai-sdk.json"])
    run(process.execPath, [extractor, "run", "-c", config], root);
  const pack = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
  const [{ filename }] = JSON.parse(run("npm", pack, root));
  const dependencies = { ...tools, "bitnet-wasm": `file:${filename}` };
  const manifest = { name: "user", private: true, type: "module", dependencies };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  // npm keeps an installed package of the same version.
  rmSync(join(folder, "node_modules", "bitnet-wasm"), { recursive: true, force: true });
  const installed = spawn("npm", npmInstall.split(" "), folder);
  if (installed.status !== 0) endIfOffline("the check of the packed package", installed.output);
  requireSuccess(installed);
  return join(folder, filename);
}

function spawn(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  return {
    name: [command, ...args].join(" "),
    status,
    stdout,
    output: error?.message ?? `${stdout}${stderr}`,
  };
}

function requireSuccess({ name, status, stdout, output }) {
  if (status === 0) return stdout;
  throw new Error(`${name} failed:\n${output}`);
}

function run(command, args, cwd) {
  return requireSuccess(spawn(command, args, cwd));
}
