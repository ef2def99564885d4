import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type CliResult, finishCli } from "./run-cli.js";

/** Runs a script of the repository with this Node.js, to its end. */
export function runScript(path: string, args: readonly string[]): Promise<CliResult> {
  const script = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const child = spawn(process.execPath, [script, ...args]);
  child.stdin.end();
  return finishCli(child);
}

/** A file in test/fixtures. */
export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}
